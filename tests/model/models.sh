#!/bin/sh
# The protocols between threads, in every order of steps that there is: each model (*.pml) is
# explored by spin. A model also says, in its head comment, which mistakes it knows ("1  ..."):
# with each of them planted, spin must find an error. So a model that proves nothing is noticed.

. "$WEFT_SOURCE/tests/tap.sh"

models=$(cd "$WEFT_SOURCE/tests/model" && ls *.pml)

# explore MODEL MISTAKE: shows what spin found, nothing if all is well.
explore() {
    mkdir -p "$TMPDIR/$1.$2" && cd "$TMPDIR/$1.$2" || return
    spin -DMISTAKE="$2" -a "$WEFT_SOURCE/tests/model/$1" >generated 2>&1 || {
        cat generated
        return
    }
    ${CC:-cc} -O2 -w -DSAFETY -o pan pan.c && timeout 300 ./pan -m1000000 >explored 2>&1
    grep -q 'errors: 0$' explored && ! grep -q 'max search depth too small' explored ||
        { grep '^pan' explored || cat explored; }
}

for model in $models; do
    if ! command -v spin >/dev/null; then
        skip "$model" "spin is not installed"
        continue
    fi
    expect_empty "$model" "$(explore "$model" 0)"
    for mistake in $(sed -n 's/^ \*   \([1-9]\)  .*/\1/p' "$WEFT_SOURCE/tests/model/$model"); do
        expect_found "$model with mistake $mistake" \
            "$(explore "$model" "$mistake" | grep -E 'assertion violated|invalid end state')"
    done
done

finish
