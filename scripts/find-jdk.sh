# Sourced by ./peekpass and ./test: finds a JDK 25 or newer and sets JAVA_HOME to it.
#
# Looks at PEEKPASS_JAVA_HOME and JAVA_HOME first, then at the java on the PATH, then where
# distributions and version managers put JDKs. The version is read from each JDK's "release"
# file, so that nothing is started to find out.

PEEKPASS_LEAST_JAVA=25

# java_major HOME: prints the major version of the JDK at HOME, or nothing.
java_major() {
  [ -x "$1/bin/java" ] && [ -r "$1/release" ] || return 0
  sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release"
}

# is_new_enough HOME
is_new_enough() {
  local major
  major=$(java_major "$1")
  [ -n "$major" ] && [ "$major" -ge "$PEEKPASS_LEAST_JAVA" ]
}

# find_jdk: sets and exports JAVA_HOME, or fails with what to do on standard error.
find_jdk() {
  local home on_path
  on_path=$(command -v java 2>/dev/null || true)
  if [ -n "$on_path" ]; then
    on_path=$(dirname "$(dirname "$(readlink -f "$on_path")")")
  fi
  for home in "${PEEKPASS_JAVA_HOME:-}" "${JAVA_HOME:-}" "$on_path" \
    /usr/lib/jvm/* /usr/lib64/jvm/* /usr/java/* /opt/java/* /opt/*jdk* /opt/jdk/* \
    "${HOME:-/nonexistent}"/.sdkman/candidates/java/* "${HOME:-/nonexistent}"/.jdks/* \
    "${HOME:-/nonexistent}"/.local/share/mise/installs/java/* \
    "${HOME:-/nonexistent}"/.asdf/installs/java/*; do
    if [ -n "$home" ] && is_new_enough "$home"; then
      export JAVA_HOME="$home"
      return 0
    fi
  done
  {
    echo "peekpass: no JDK $PEEKPASS_LEAST_JAVA or newer was found."
    if [ -n "$on_path" ]; then
      echo "  The java on the PATH is $(java_major "$on_path" | sed 's/^/version /;s/^$/of unknown version/')."
    fi
    echo "  Install one (for example a package named openjdk-25-jdk or temurin-25-jdk), or name one:"
    echo "    PEEKPASS_JAVA_HOME=/path/to/jdk-25 $0"
  } >&2
  return 1
}
