#!/bin/sh
# Looks for published vulnerabilities that the code of each given module can reach. Those fail it. A database that cannot be
# reached does not, as that says nothing of the code: it is told, and that nothing is known. VULNDB names another one.
set -eu

database=${VULNDB:-https://vuln.go.dev}
reachable() { govulncheck -db "$database" -version | grep -q '^DB updated:'; }

unknown() {
	echo "vuln: the database of vulnerabilities, $database, cannot be reached: WHETHER THERE ARE ANY IS NOT KNOWN" >&2
	exit 0
}

reachable || unknown
for module; do
	echo "vuln: $module" >&2
	code=0
	(cd "$module" && govulncheck -db "$database" ./...) || code=$?
	case $code in
	0) ;;
	3) found="${found:-} $module" ;; # as govulncheck documents
	*) reachable && exit "$code" || unknown ;;
	esac
done
[ -z "${found:-}" ] || { echo "vuln: published vulnerabilities in:$found" >&2 && exit 1; }
