"""The peers, each as its documentation would have it for this job: one worker, no access log."""

import os

from . import places
from .candidate import HTTP, TLS, Candidate

HAPROXY = """\
global
  nbthread 1
  maxconn {most}
  log /dev/null local0
defaults
  mode {mode}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend f
  bind 127.0.0.1:{port} backlog 4096
{rules}
  default_backend none
backend b
  server s 127.0.0.1:{tcp}
backend none
"""

HAPROXY_TCP = """\
  tcp-request inspect-delay 120s
  tcp-request content accept if { req.ssl_hello_type 1 }
  tcp-request content accept if { req.payload(0,0) -m found } !{ req.payload(0,1) -m bin 16 }
  use_backend b if { req.ssl_sni -i {name} }
  use_backend b if { req.payload(0,0) -m sub -i "Host: {name}" }"""

HAPROXY_HTTP = """\
  timeout http-request 120s
  use_backend b if { hdr(host) -i {name} }"""

NGINX = """\
daemon off; worker_processes 1; worker_rlimit_nofile {limit}; pid {dir}/nginx.pid; error_log stderr error;
{module}
events { worker_connections {limit}; }
"""

NGINX_HTTP = """\
http {
  access_log off; client_header_timeout 120s; keepalive_timeout 300s; keepalive_requests 100000000; proxy_read_timeout 300s;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream up { server 127.0.0.1:{tcp}; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:{port} backlog=4096 default_server; return 444; }
  server {
    listen 127.0.0.1:{port}; server_name {name};
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
"""

NGINX_STREAM = """\
stream {
  map $ssl_preread_server_name $up { {name} 127.0.0.1:{tcp}; }
  server { listen 127.0.0.1:{port} backlog=4096; ssl_preread on; preread_timeout 120s; proxy_pass $up; proxy_timeout 300s; }
}
"""

NGINX_STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

SNIPROXY = """\
pidfile {dir}/sniproxy.pid
listener 127.0.0.1:{port} {
  proto http
  table t
}
listener 127.0.0.1:{port2} {
  proto tls
  table t
}
table t {
  {name} 127.0.0.1:{tcp}
}
"""

SSLH = """\
foreground: true; inetd: false; numeric: true; transparent: false; timeout: 120; pidfile: "{dir}/sslh.pid";
listen: ( { host: "127.0.0.1"; port: "{port}"; } );
protocols: (
  { name: "tls"; host: "127.0.0.1"; port: "{tcp}"; sni_hostnames: [ "{name}" ]; log_level: 0; },
  { name: "http"; host: "127.0.0.1"; port: "{tcp}"; log_level: 0; }
);
"""

SNI_ROUTER = """\
rules: <
  regex: "{name}"
  backend: < pass: < path: "{datagram}" > >
>
default: < backend: < null: <> > >
"""

SNI_ROUTER_ROOT = os.path.join(places.TARGET, "sni-router")
SNI_ROUTER_VERSION = "0.2.11"
CARGO_INSTALL = ["cargo", "install", "--locked", "sni-router", "--version", SNI_ROUTER_VERSION, "--root", SNI_ROUTER_ROOT]


def haproxy(name, mode, rules, kinds, limit):
    # A copied connection takes two descriptors, and HAProxy does not start when they would not suffice.
    most = (limit - 100) // 2
    text = HAPROXY.replace("{mode}", mode).replace("{rules}", rules).replace("{most}", str(most))
    return Candidate(name=name, command=["haproxy", "-db", "-f", "{dir}/haproxy.cfg"], kinds=kinds, files={"haproxy.cfg": text},
                     most=most, package="haproxy", version=["haproxy", "-v"])


def nginx(name, body, kinds, limit, module=""):
    text = NGINX.replace("{module}", module).replace("{limit}", str(limit)) + body
    return Candidate(name=name, command=["nginx", "-p", "{dir}", "-c", "{dir}/nginx.conf"], kinds=kinds,
                     files={"nginx.conf": text}, package="nginx libnginx-mod-stream", version=["nginx", "-v"])


def all_peers(limit):
    """All that there could be; `limit` is the limit of open descriptors."""
    return [
        Candidate(name="sni-router", kinds=TLS, files={"router.cfg": SNI_ROUTER},
                  command=[os.path.join(SNI_ROUTER_ROOT, "bin", "sni-router"), "-v", "error",
                           "-l", "127.0.0.1:{port}", "-c", "{dir}/router.cfg"]),
        haproxy("haproxy tcp", "tcp", HAPROXY_TCP, HTTP + TLS, limit),
        haproxy("haproxy http", "http", HAPROXY_HTTP, HTTP, limit),
        nginx("nginx stream", NGINX_STREAM, TLS, limit, "load_module %s;" % NGINX_STREAM_MODULE),
        nginx("nginx http", NGINX_HTTP, HTTP, limit),
        Candidate(name="sniproxy", command=["sniproxy", "-f", "-c", "{dir}/sniproxy.conf"],
                  files={"sniproxy.conf": SNIPROXY}, tls_port="port2", package="sniproxy", version=["sniproxy", "-V"]),
        # select(2) knows 1,024 descriptors.
        Candidate(name="sslh", command=["sslh-select", "--foreground", "-F{dir}/sslh.cfg"], files={"sslh.cfg": SSLH},
                  most=400, package="sslh", version=["sslh-select", "-V"]),
    ]
