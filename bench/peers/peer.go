// Go as a peer; see bench/peers.h.
//
//	peer-go --sample BENCH CASE BUDGET_MS
//	peer-go --serve BENCH
//
// Cases have the names of those in bench/*.c; one that is not here ends in exit status 77.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const skip = 77
const asleepGap = 200 * time.Microsecond

var budget time.Duration

func put(unit string, value float64) { fmt.Printf("%s\t%.9g\n", unit, value) }

// Confines all threads of the process to the first or second CPU it may use.
func pin(place int) {
	var allowed, one [16]uint64
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(allowed),
		uintptr(unsafe.Pointer(&allowed)))
	for cpu := 0; cpu < len(allowed)*64 && place >= 0; cpu++ {
		if allowed[cpu/64]&(1<<(cpu%64)) != 0 {
			one = [16]uint64{}
			one[cpu/64] = 1 << (cpu % 64)
			place--
		}
	}
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		id, _ := strconv.Atoi(thread.Name())
		syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(id),
			unsafe.Sizeof(one), uintptr(unsafe.Pointer(&one)))
	}
}

func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

// Medians of what once returns, repeated until the budget is spent, at least three times.
func rounds(once func() (float64, float64)) (float64, float64) {
	var a, b []float64
	for end := time.Now().Add(budget); len(a) < 3 || time.Now().Before(end); {
		x, y := once()
		a, b = append(a, x), append(b, y)
	}
	return median(a), median(b)
}

func ns(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }

func status(key string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, key) {
			var kib float64
			fmt.Sscanf(line[len(key):], "%f", &kib)
			return kib * 1024
		}
	}
	return 0
}

// ---- spawn, yield, timer, memory: one processor ----

func spawn(burst int) {
	const n = 20000
	runtime.GOMAXPROCS(1)
	pin(1)
	var group sync.WaitGroup
	value, _ := rounds(func() (float64, float64) {
		start := time.Now()
		for i := 0; i < n; i += burst {
			group.Add(burst)
			for k := 0; k < burst; k++ {
				go group.Done()
			}
			group.Wait()
		}
		return ns(time.Since(start), n), 0
	})
	put("ns", value)
}

func yield(tasks int) {
	runtime.GOMAXPROCS(1)
	pin(1)
	stop := false
	for i := 1; i < tasks; i++ {
		go func() {
			for !stop {
				runtime.Gosched()
			}
		}()
	}
	turns := 200000/tasks + 1
	value, _ := rounds(func() (float64, float64) {
		start := time.Now()
		for i := 0; i < turns; i++ {
			runtime.Gosched()
		}
		return ns(time.Since(start), turns*tasks), 0
	})
	stop = true
	put("ns", value)
}

func timeout() {
	const pending, n = 500000, 20000
	runtime.GOMAXPROCS(1)
	pin(1)
	nop := func() {}
	for i := 0; i < pending; i++ {
		time.AfterFunc(time.Minute+time.Duration(i*7919%pending)*time.Microsecond, nop)
	}
	value, _ := rounds(func() (float64, float64) {
		start := time.Now()
		for i := 0; i < n; i++ {
			time.AfterFunc(30*time.Second, nop).Stop()
		}
		return ns(time.Since(start), n), 0
	})
	put("ns/set+cancel", value)
}

func memory() {
	const n = 1000000
	runtime.GOMAXPROCS(1)
	before := status("VmRSS:") + status("VmPTE:")
	start := time.Now()
	for i := 0; i < n; i++ {
		go time.Sleep(time.Hour)
	}
	runtime.Gosched()
	put("ns to start", ns(time.Since(start), n))
	time.Sleep(time.Second) // the garbage of starting goes
	put("B/task", (status("VmRSS:")+status("VmPTE:")-before)/n)
}

// ---- executor: a goroutine for each job ----

func inFlight() {
	const n, window = 50000, 1000
	runtime.GOMAXPROCS(2)
	results := make(chan int, window)
	rate, cpuNs := rounds(func() (float64, float64) {
		start, before := time.Now(), cpu()
		for i := 0; i < window; i++ {
			go func() { results <- 1 }()
		}
		for done := 0; done < n; done++ {
			<-results
			if done+window < n {
				go func() { results <- 1 }()
			}
		}
		return n / time.Since(start).Seconds() / 1e6, ns(cpu()-before, n)
	})
	put("M jobs/s", rate)
	put("CPU ns", cpuNs)
}

func nap(span time.Duration) {
	request := syscall.NsecToTimespec(span.Nanoseconds())
	syscall.Nanosleep(&request, nil)
}

func sleeps() {
	results := make(chan int, 64)
	value, _ := rounds(func() (float64, float64) {
		start := time.Now()
		for i := 0; i < 64; i++ {
			go func() { nap(10 * time.Millisecond); results <- 1 }()
		}
		for i := 0; i < 64; i++ {
			<-results
		}
		return time.Since(start).Seconds() * 1e3, 0
	})
	put("ms", value)
}

func mixed() {
	results := make(chan int, 64)
	start := time.Now()
	go nap(time.Second)
	for i := 0; i < 63; i++ {
		go func() { results <- 1 }()
	}
	for i := 0; i < 63; i++ {
		<-results
	}
	put("ms", time.Since(start).Seconds()*1e3)
}

// ---- post: a channel ----

func postInBulk(producers, processors int) {
	const n = 400000
	runtime.GOMAXPROCS(processors)
	if processors == 1 {
		pin(1)
	}
	rate, cpuNs := rounds(func() (float64, float64) {
		inbox, got := make(chan func(), 1024), 0
		start, before := time.Now(), cpu()
		for p := 0; p < producers; p++ {
			go func() {
				for i := 0; i < n/producers; i++ {
					inbox <- func() { got++ }
				}
			}()
		}
		for got < n {
			(<-inbox)()
		}
		return n / time.Since(start).Seconds() / 1e6, ns(cpu()-before, n)
	})
	put("M/s", rate)
	put("CPU ns", cpuNs)
}

func pingPong(processors int) {
	ping, pong, latencies := make(chan int), make(chan int), []float64{}
	runtime.GOMAXPROCS(2)
	if processors == 1 {
		pin(1)
	}
	go func() {
		runtime.LockOSThread()
		for v := range ping {
			pong <- v
		}
	}()
	runtime.LockOSThread()
	for end := time.Now().Add(budget); time.Now().Before(end); {
		for gap := time.Now().Add(asleepGap); time.Now().Before(gap); {
		}
		start := time.Now()
		ping <- 1
		<-pong
		latencies = append(latencies, float64(time.Since(start).Nanoseconds())/2e3)
	}
	put("us one way", median(latencies))
}

// ---- echo, http: one processor ----

func listen() net.Listener {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	return listener
}

func serveEcho() {
	listener := listen()
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer connection.Close()
			buffer := make([]byte, 128*1024)
			for {
				n, err := connection.Read(buffer)
				if err != nil {
					return
				}
				if _, err = connection.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func serveHTTP() {
	body := []byte("hello world\n")
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(body)
	})
	panic(http.Serve(listen(), nil))
}

func main() {
	cases := map[string]func(){
		"spawn/one by one":                   func() { spawn(1) },
		"spawn/bursts of 1000":               func() { spawn(1000) },
		"yield/1 task":                       func() { yield(1) },
		"yield/10 tasks":                     func() { yield(10) },
		"yield/1 k tasks":                    func() { yield(1000) },
		"yield/100 k tasks":                  func() { yield(100000) },
		"timer/time-out, 500 k pending":      timeout,
		"memory/1 M sleeping tasks":          memory,
		"executor/1000 in flight, 2 workers": inFlight,
		"executor/64 sleeps of 10 ms":        sleeps,
		"executor/mixed":                     mixed,
		"post/1 producer":                    func() { postInBulk(1, 2) },
		"post/2 producers":                   func() { postInBulk(2, 2) },
		"post/1 producer, one CPU":           func() { postInBulk(1, 1) },
		"post/2 producers, one CPU":          func() { postInBulk(2, 1) },
		"post/ping-pong, asleep":             func() { pingPong(2) },
		"post/ping-pong, asleep, one CPU":    func() { pingPong(1) },
	}
	if len(os.Args) == 3 && os.Args[1] == "--serve" {
		map[string]func(){"echo": serveEcho, "http": serveHTTP}[os.Args[2]]()
	} else if len(os.Args) == 5 && os.Args[1] == "--sample" {
		ms, _ := strconv.Atoi(os.Args[4])
		budget = time.Duration(ms) * time.Millisecond
		if measure, ok := cases[os.Args[2]+"/"+os.Args[3]]; ok {
			measure()
			return
		}
		os.Exit(skip)
	}
}
