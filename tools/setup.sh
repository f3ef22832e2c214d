#!/bin/bash
# Installs what the package lists name: `setup.sh build` or `setup.sh all`. Does nothing, quickly, when all is there.
# Boost 1.83 comes from Debian's backports: when no source on this machine offers them, they are added from the mirror
# that the machine's Debian packages already come from. Nothing else is ever taken from there.
set -euo pipefail
cd "$(dirname "$0")/.."

backports_source=/etc/apt/sources.list.d/sluice-backports.sources
backports_pins=/etc/apt/preferences.d/sluice-backports
no_services=/usr/sbin/policy-rc.d

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
write_as_root() { as_root tee "$1" >/dev/null && as_root chmod 644 "$1"; }

wanted() {
  sed -e 's/#.*//' -e '/^[[:space:]]*$/d' tools/packages/build.txt
  if [ "$1" = all ]; then
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' tools/packages/test.txt
    # The browser tests run on any Node; Debian's is for machines that have none.
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
  fi
}

missing() {
  comm -23 <(wanted "$1" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

require_apt() {
  command -v apt-get >/dev/null || fail "this needs apt; install by hand: $(missing "$1" | tr "\n" " ")"
  . /etc/os-release
  [ "${VERSION_CODENAME:-}" = bookworm ] || fail "the package lists are for Debian 12 (bookworm), not for ${PRETTY_NAME:-this system}"
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "installing packages needs root or sudo"
}

# Prints `URI|FILE:ENTRY` of each package index with this codename, from whichever format of source it comes.
sources_of() {
  apt-get indextargets --format '$(CREATED_BY)|$(CODENAME)|$(ORIGIN)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)' |
    awk -F'|' -v suite="$1" '$1 == "Packages" && $2 == suite && $3 ~ /^Debian/ && $4 == "main" { print $5 "|" $6 }'
}

# Prints what a source's entry says of keys, as deb822 fields; ENTRY counts stanzas there and lines in a .list.
trust_of() {
  local file=${1%:*} entry=${1##*:}
  if [[ $file == *.sources ]]; then
    awk -v RS= -v entry="$entry" '/(^|\n)Types:/ && ++n == entry' "$file" |
      awk '/^[^ \t]/ { keep = tolower($0) ~ /^(signed-by|trusted):/ } keep && !/^#/'
  else
    sed -n "${entry}p" "$file" | grep -o '\[[^]]*\]' | tr -d '[]' | tr ' ' '\n' |
      sed -n -e 's/^signed-by=/Signed-By: /p' -e 's/^trusted=/Trusted: /p' || true
  fi
}

offer_backports() {
  if [ ! -e "$backports_pins" ]; then
    write_as_root "$backports_pins" <<-END
	Package: *
	Pin: release n=bookworm-backports
	Pin-Priority: 100

	Package: libboost*1.83*
	Pin: release n=bookworm-backports
	Pin-Priority: 500
	END
  fi
  [ -z "$(sources_of bookworm-backports)" ] || return 0
  local main
  main=$(sources_of bookworm | head -n 1)
  [ -n "$main" ] || fail "no source of Debian 12's main packages is configured, so there is no mirror to take backports from"
  { printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\n' "${main%%|*}"
    trust_of "${main#*|}"; } | write_as_root "$backports_source"
  as_root apt-get -q update
  [ -n "$(sources_of bookworm-backports)" ] || fail "the mirror ${main%%|*} offers no bookworm-backports"
}

# Debian starts a service as soon as it is installed, unless this file says no; it goes away again whatever happens.
forbid_services() {
  [ -e "$no_services" ] && return
  trap 'as_root rm -f "$no_services"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$no_services" >/dev/null
  as_root chmod 755 "$no_services"
}

install_packages() {
  local packages
  mapfile -t packages < <(missing "$1")
  [ "${#packages[@]}" -gt 0 ] || return 0
  require_apt "$1"
  echo "setup: installing ${packages[*]}"
  as_root apt-get -q update
  offer_backports
  forbid_services
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${packages[@]}"
}

# The Node programs that tests drive: a folder each, with its own lock file.
install_node_modules() {
  local folder=$1
  [ -e "$folder/package-lock.json" ] || return 0
  [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] && return 0
  (cd "$folder" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund)
  touch "$folder/node_modules/.package-lock.json"
}

case "${1:-all}" in
  build) install_packages build ;;
  all)
    install_packages all
    install_node_modules tests/browser
    install_node_modules tests/websocket
    [ -d /run/sshd ] || as_root mkdir -m 755 /run/sshd  # sshd refuses to start without it, in the foreground too
    ;;
  *) fail "build or all, not $1" ;;
esac
