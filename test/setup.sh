# Sourced by test/run, test/demo/run and the other scripts that need a server.
#
# Installs the packages that are missing, copies PostgreSQL into a temporary
# folder, builds the extension there and leaves everything else alone: no file
# of the system's PostgreSQL or of this tree is written.  Works as root, where
# the server runs as user postgres, and as a user, who needs sudo only when
# packages are missing.
#
# Reads, all optional: NEEDS (more packages), WANTS (packages that are installed
# where the system has them, else done without), PG_MAJOR, KEEP (not empty: the
# temporary folder stays).
#
# Sets: tree (this checkout), work (the temporary folder, removed at exit),
# src (a copy of the tree, built), pg (PostgreSQL's bin folder), PATH, PGHOST.
# A process whose number is in child is ended at exit.

set -eu
umask 022
unset CDPATH
tree=$(cd "$(dirname "$0")" && pwd)
while [ ! -f "$tree/usage_limits.control" ]; do
	[ "$tree" != / ] || { echo "error: $0 is not in a checkout of usage_limits" >&2; exit 1; }
	tree=$(dirname "$tree")
done

# What the caller has set for other servers and other builds must not count
# here, nor what would configure the extension.
for name in $(env | sed -n -e 's/^\(PG[A-Z]*\)=.*/\1/p' -e 's/^\(USAGE_[A-Z_0-9]*\)=.*/\1/p' -e 's/^\(CREDITS_[A-Z_0-9]*\)=.*/\1/p') \
	MAKEFLAGS MAKELEVEL MFLAGS PROFILE COPT CFLAGS; do
	unset "$name"
done
# pg_regress drops LC_ALL, and the encoding of its database comes from what is left.
export LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC PGTZ=UTC

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then env DEBIAN_FRONTEND=noninteractive "$@"
	elif command -v sudo >/dev/null 2>&1; then sudo env DEBIAN_FRONTEND=noninteractive "$@"
	else say "this needs root or sudo: $*"; return 1
	fi
}

# The PostgreSQL in PG_HOME, else the newest (15 to 18) that is installed with its headers.
find_postgres() {
	if [ -n "${PG_HOME:-}" ]; then
		home=$PG_HOME
		major=$("$home/bin/pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
		return
	fi
	for major in ${PG_MAJOR:-18 17 16 15}; do
		home=/usr/lib/postgresql/$major
		[ -x "$home/bin/postgres" ] && [ -f "$home/lib/pgxs/src/makefiles/pgxs.mk" ] &&
			[ -f "/usr/include/postgresql/$major/server/postgres.h" ] && return 0
	done
	return 1
}

# The PostgreSQL to install: one that only lacks its headers, else the newest there is.
choose_postgres() {
	for major in ${PG_MAJOR:-18 17 16 15}; do
		[ -x "/usr/lib/postgresql/$major/bin/postgres" ] && has_package "postgresql-server-dev-$major" && return 0
	done
	for major in ${PG_MAJOR:-18 17 16 15}; do
		has_package "postgresql-$major" && has_package "postgresql-server-dev-$major" && return 0
	done
	fail "this system has no PostgreSQL ${PG_MAJOR:-15 to 18} with its headers"
}

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
has_package() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }

install_packages() {
	missing=
	for package in make gcc libc6-dev ${NEEDS:-}; do
		is_installed "$package" || missing="$missing $package"
	done
	wanted=
	for package in ${WANTS:-}; do
		is_installed "$package" || wanted="$wanted $package"
	done
	find_postgres || missing="$missing postgresql"
	[ -n "$missing$wanted" ] || return 0
	if ! { command -v apt-get && as_root apt-get update -qq; } >/dev/null; then
		[ -z "$missing" ] || fail "these packages are needed, with PostgreSQL's server headers:$missing"
		say "going on without$wanted"
		return 0
	fi
	if ! find_postgres; then
		choose_postgres
		missing="${missing% postgresql} postgresql-$major postgresql-server-dev-$major"
	fi
	for package in $wanted; do
		has_package "$package" && missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	say "installing$missing"
	# shellcheck disable=SC2086 # a list of words
	as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null || fail "apt-get install failed"
	find_postgres || fail "PostgreSQL was installed, but is not in /usr/lib/postgresql"
}

# Runs a command as the user that the server runs as, with no dot files of anyone.
as_user() { $as_user "$@"; }

# Stops the child and every server that still runs in the temporary folder, and
# removes that.
clean_up() {
	status=$?
	trap - EXIT
	# a second signal, as timeout and terminals send, must not stop this
	trap '' HUP INT TERM
	if [ -n "$child" ]; then
		kill "$child" 2>/dev/null || true
		wait "$child" 2>/dev/null || true
	fi
	if [ -n "$pg" ]; then
		find "$work" -name postmaster.pid | while read -r pidfile; do
			as_user "$pg/pg_ctl" -D "$(dirname "$pidfile")" -m immediate stop >/dev/null 2>&1 || true
		done
	fi
	if [ -n "${KEEP:-}" ]; then say "kept $work"; else rm -rf "$work"; fi
	exit $status
}

# A copy of PostgreSQL to install into: its programs find their files by where they are.
copy_postgres() {
	if [ -n "${PG_HOME:-}" ]; then
		cp -a "$home" "$work/postgresql"
		pg=$work/postgresql/bin
	else
		mkdir -p "$work/pg/usr/lib/postgresql" "$work/pg/usr/share/postgresql" "$work/pg/usr/include"
		cp -a "$home" "$work/pg/usr/lib/postgresql/"
		cp -a "/usr/share/postgresql/$major" "$work/pg/usr/share/postgresql/"
		ln -s /usr/include/postgresql "$work/pg/usr/include/postgresql"
		pg=$work/pg/usr/lib/postgresql/$major/bin
	fi
	[ "$(id -u)" != 0 ] || chown -hR "$user" "$work"
	PATH=$pg:$PATH
	export PATH
}

# The files of the tree, committed or new, separated by NUL.
list_tree() {
	cd "$tree"
	if command -v git >/dev/null 2>&1 && [ -e .git ]; then
		git -c safe.directory="$tree" ls-files -z --cached --others --exclude-standard
	else
		find . \( -name .git -o -name node_modules -o -name dist \) -prune -o -type f ! -name '*.o' ! -name '*.so' ! -name '*.bc' -print0
	fi
}

# Builds and installs a copy of the tree; arguments go to make.
build() {
	src=$work/src
	mkdir "$src"
	list_tree | tar -C "$tree" --null --files-from=- --ignore-failed-read -cf - 2>/dev/null | tar -C "$src" -xf -
	[ "$(id -u)" != 0 ] || chown -hR "$user" "$src"
	as_user make -s -C "$src" with_llvm=no "$@" PG_CONFIG="$pg/pg_config" >"$work/build.log" 2>&1 ||
		{ cat "$work/build.log" >&2; fail "the build failed"; }
	as_user make -s -C "$src" with_llvm=no "$@" PG_CONFIG="$pg/pg_config" install >>"$work/build.log" 2>&1 ||
		{ cat "$work/build.log" >&2; fail "the installation failed"; }
}

# start_server NAME [SETTING...]: a new server in $work/NAME, on a socket in $work.
start_server() {
	name=$1
	shift
	as_user "$pg/initdb" -D "$work/$name" -A trust -U postgres --no-sync >"$work/$name.init.log" 2>&1 ||
		{ cat "$work/$name.init.log" >&2; fail "initdb failed"; }
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$work'"
		echo "max_prepared_transactions = 10"
		for setting in "$@"; do echo "$setting"; done
	} | as_user tee -a "$work/$name/postgresql.conf" >/dev/null
	as_user "$pg/pg_ctl" -w -D "$work/$name" -l "$work/$name.log" start >/dev/null ||
		{ cat "$work/$name.log" >&2; fail "the server did not start"; }
}

work=$(mktemp -d "${TMPDIR:-/tmp}/usage_limits.XXXXXX")
chmod 755 "$work"
pg='' child=''
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
install_packages
user=$(id -un)
as_user="env HOME=$work"
if [ "$(id -u)" = 0 ]; then
	user=postgres
	as_user="setpriv --reuid=$user --regid=$user --init-groups $as_user"
fi
mkdir -m 1777 "$work/tmp"
export PGHOST="$work" PGUSER=postgres TMPDIR="$work/tmp"
copy_postgres
as_user test -x "$work" || fail "user $user cannot reach $work: set TMPDIR to a folder it can"
