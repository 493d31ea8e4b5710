#!/usr/bin/env bash
# Builds the module; called by the Makefile, which says what the variables mean.
set -euo pipefail

configure=$NGINX_SRC/configure
[ -x "$configure" ] || configure=$NGINX_SRC/auto/configure
if [ ! -x "$configure" ]; then
  echo "build-module: no nginx sources in $NGINX_SRC: apt-get install nginx-dev, or make NGINX_SRC=DIRECTORY" >&2
  exit 1
fi

# In a copy, since configure writes into the tree that it is run in.
tree=$BUILD/src
rm -rf "$tree"
mkdir -p "$BUILD"
cp -RL "$NGINX_SRC" "$tree"
cd "$tree"
cp "${configure#"$NGINX_SRC"/}" ./configure 2>/dev/null || true

# The arguments decide which members nginx's structures have: they must be those of the nginx that is to load the
# module. Debian keeps them in a file; any other nginx tells them.
arguments=()
if [ -r conf_flags ]; then
  . ./conf_flags
  arguments=("${NGX_CONF_FLAGS[@]}")
elif [ -x "$NGINX" ]; then
  says=$("$NGINX" -V 2>&1 | sed -n 's/^configure arguments: //p')
  eval "told=($says)"
  for argument in ${told[@]+"${told[@]}"}; do
    case $argument in
      # Modules that are built for themselves, and flags that are about the build.
      --add-module=* | --add-dynamic-module=* | --with-*=dynamic | --with-cc-opt=* | --with-ld-opt=* | --builddir=*) ;;
      *) arguments+=("$argument") ;;
    esac
  done
else
  echo "build-module: there is no $NGINX to ask how it was configured (make NGINX=FILE): using --with-compat alone" >&2
  arguments=(--with-compat)
fi

./configure "${arguments[@]}" --with-cc-opt="-fPIC $WARNINGS" --builddir=objs --add-dynamic-module="$HERE" \
  >"$BUILD/configure.log" 2>&1 || { tail -20 "$BUILD/configure.log" >&2; exit 1; }
make -s -f objs/Makefile modules >"$BUILD/make.log" 2>&1 || { tail -40 "$BUILD/make.log" >&2; exit 1; }
mv objs/ngx_peekpass_module.so "$BUILD/"
