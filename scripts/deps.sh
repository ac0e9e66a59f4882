#!/bin/sh
# Installs what is missing, and nothing else, with the package manager of
# the system: deps.sh [build] [test] [bench] [check]
# Asks the machine, not the package manager, what is there; so a Lua from
# elsewhere counts. Uses sudo only when not root, and asks no questions.

here=$(dirname "$0")
groups=${*:-build test bench check}
CC=${CC:-cc}

# One need a row: its group, the question whether it is there, and the
# packages that bring it. "-" is none: then the rock of the last column is
# installed with LuaRocks, where there is one. "+" joins several packages.
# Needs marked with "?" may stay unmet: something is then skipped.
needs () {
  cat <<'EOF'
build  compiler                gcc+libc6-dev   gcc+glibc-devel      gcc+musl-dev        gcc               -               -
build  command:pkg-config      pkg-config      pkgconf-pkg-config   pkgconf             pkgconf           pkgconf         -
build  lua-program             lua5.4          lua                  lua5.4              lua54             lua@5.4         -
build  lua-headers             liblua5.4-dev   lua-devel            lua5.4-dev          lua54             lua@5.4         -
build  library:openssl/evp.h   libssl-dev      openssl-devel        openssl-dev         openssl           openssl@3       -
build  library:zlib.h          zlib1g-dev      zlib-devel           zlib-dev            zlib              zlib            -
test   library:cmocka.h        libcmocka-dev   libcmocka-devel      cmocka-dev          cmocka            cmocka          -
test   busted                  lua-busted      -                    lua5.4-busted       lua54-busted+busted -             busted
test   command:luacheck        lua-check       -                    -                   luacheck          luacheck        luacheck
test   module:socket           lua-socket      lua-socket           lua5.4-socket       lua54-socket      -               luasocket
test   module:cqueues          lua-cqueues     -                    lua5.4-cqueues      -                 -               cqueues
test?  module:luv              lua-luv         -                    -                   -                 -               luv
test?  copas                   lua-copas       -                    -                   -                 -               copas
bench? module:luv              lua-luv         -                    -                   -                 -               luv
check? command:valgrind        valgrind        valgrind             valgrind            valgrind          -               -
check? command:clang           clang           clang                clang               clang             -               -
check? clang-runtime           libclang-rt-dev compiler-rt          compiler-rt         compiler-rt       -               -
check? sanitizer:address       libasan8        libasan              -                   -                 -               -
check? sanitizer:undefined     libubsan1       libubsan             -                   -                 -               -
check? sanitizer:thread        libtsan2        libtsan              -                   -                 -               -
check? command:luarocks        luarocks        luarocks             luarocks5.4         luarocks          luarocks        -
EOF
}

lua () {
  program=$("$here/find-lua.sh" program) && "$program" "$@"
}

compiles () { # compiles FLAGS...: links the program on standard input
  out=$(mktemp) || return 1
  "$@" -x c - -o "$out" 2>/dev/null
  result=$?
  rm -f "$out"
  return $result
}

has () { # has NEED: is it there?
  what=${1#*:}
  case $1 in
    compiler) echo '#include <stdio.h>
int main (void) { return 0; }' | compiles "$CC" ;;
    command:*) command -v "$what" >/dev/null ;;
    lua-program) "$here/find-lua.sh" program >/dev/null ;;
    lua-headers) "$here/find-lua.sh" include >/dev/null ;;
    library:*) library "$what" ;;
    busted) command -v busted >/dev/null && lua -e 'require "busted"' \
      >/dev/null 2>&1 ;;
    module:*) lua -e "require '$what'" >/dev/null 2>&1 ;;
    copas) copas ;;
    clang-runtime) sanitizer clang thread ;;
    sanitizer:*) sanitizer "$CC" "$what" ;;
  esac
}

library () {
  echo "#include <$1>" | "$CC" -E -include stdarg.h -include stddef.h \
    -include stdint.h -include setjmp.h - >/dev/null 2>&1 && return 0
  case $1 in # where a package keeps its headers to itself
    openssl/*) pkg-config --exists libcrypto 2>/dev/null ;;
    zlib.h) pkg-config --exists zlib 2>/dev/null ;;
    *) return 1 ;;
  esac
}

copas () { # Debian packs it for 5.1 and 5.2; the specs look there, too
  lua -e 'package.path = package.path .. ";/usr/share/lua/5.1/?.lua"
    require "copas"' >/dev/null 2>&1
}

sanitizer () {
  echo 'int main (void) { return 0; }' | compiles "$1" "-fsanitize=$2"
}

root () { # root COMMAND...: with the rights to install
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

manager () {
  for name in apt-get dnf apk pacman brew; do
    if command -v "$name" >/dev/null; then
      echo "$name"
      return
    fi
  done
}

install () { # install PACKAGES...
  echo "deps: installing $*"
  case $manager in
    apt-get) root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "$@" ;;
    dnf) root dnf install -y "$@" ;;
    apk) root apk add "$@" ;;
    pacman) root pacman -S --needed --noconfirm "$@" ;;
    brew) brew install "$@" ;;
  esac </dev/null
}

refresh () {
  case $manager in
    apt-get) root apt-get update </dev/null ;;
    apk) root apk update ;;
  esac
}

column () { # column PACKAGES-OF-ALL-MANAGERS: ours
  case $manager in
    apt-get) echo "$1" ;;
    dnf) echo "$2" ;;
    apk) echo "$3" ;;
    pacman) echo "$4" ;;
    brew) echo "$5" ;;
  esac | tr '+' ' ' | sed 's/^-$//'
}

wanted () { # wanted GROUP
  case " $groups " in
    *" ${1%\?} "*) return 0 ;;
    *) return 1 ;;
  esac
}

missing () { # the rows of needs that are wanted and not there
  needs | while read -r group need packages; do
    if wanted "$group" && ! has "$need" </dev/null; then
      echo "$group $need $packages"
    fi
  done
}

# A wrong name among many must not keep the others out: then one at a time.
install_packages () {
  # shellcheck disable=SC2046,SC2086
  set -- $(echo "$rows" | while read -r _ _ packages; do
    column $packages
  done | tr ' ' '\n' | sed '/^$/d' | sort -u)
  [ $# -eq 0 ] && return
  refresh
  install "$@" && return
  for package in "$@"; do
    install "$package"
  done
}

install_rocks () {
  rocks=$(echo "$rows" | while read -r _ _ _ _ _ _ _ rock; do
    [ "$rock" = - ] || echo "$rock"
  done)
  [ -n "$rocks" ] || return
  command -v luarocks >/dev/null || install luarocks
  for rock in $rocks; do
    root luarocks --lua-version=5.4 install "$rock" </dev/null
  done
}

ask () { # ask WHY: for what we cannot install ourselves
  echo "deps: $1. Please install:" >&2
  echo "$rows" | while read -r _ need packages; do
    # shellcheck disable=SC2086
    echo "  $need ($(column $packages))" >&2
  done
  exit 1
}

rows=$(missing)
if [ -z "$rows" ]; then
  echo "deps: nothing is missing"
  exit 0
fi
manager=$(manager)
if [ -z "$manager" ]; then
  manager=apt-get # for the names
  ask "no apt-get, dnf, apk, pacman or brew here; these are Debian's names"
elif [ "$manager" != brew ] && [ "$(id -u)" -ne 0 ] &&
  ! command -v sudo >/dev/null; then
  ask "neither root nor sudo here"
fi

install_packages
rows=$(missing)
[ -n "$rows" ] && install_rocks

status=0
for row in $(missing | sed 's/ \([^ ]*\) .*/ \1/; s/ /,/'); do
  case $row in
    *\?,*) echo "deps: still without ${row#*,}; what needs it is skipped" ;;
    *)
      echo "deps: could not install ${row#*,}" >&2
      status=1
      ;;
  esac
done
exit $status
