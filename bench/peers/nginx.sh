#!/bin/sh
# nginx as a peer: nginx.sh FOLDER PORT. One process, its files in FOLDER, nothing logged.
# The process that was started becomes nginx, so that its CPU time can be read and its end asked
# for; the load tries again until it listens.

set -eu
mkdir -p "$1"
cat >"$1/nginx.conf" <<END
daemon off;
master_process off;
pid $1/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path $1/body;
    proxy_temp_path $1/proxy;
    fastcgi_temp_path $1/fastcgi;
    uwsgi_temp_path $1/uwsgi;
    scgi_temp_path $1/scgi;
    server {
        listen 127.0.0.1:$2 backlog=4096;
        location / { default_type text/plain; return 200 "hello world\n"; }
    }
}
END
echo "listening on 127.0.0.1:$2"
exec nginx -e stderr -p "$1" -c "$1/nginx.conf"
