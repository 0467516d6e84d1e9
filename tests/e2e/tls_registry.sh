#!/usr/bin/env bash
# A registry with a certificate of its own authority, which wants a client certificate and a password:
# all of it from one file on the controller, and used by a worker that has none of it. A base image
# comes through a mirror.
. "$(dirname "$0")/farm.sh"
begin
make_certificate() {  # NAME EXTENSION [SIGNED]
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
    -keyout "$work/tls/$1.key" -out "$work/tls/$1.pem" -addext "$2" \
    ${3:+-CA "$work/tls/ca.pem" -CAkey "$work/tls/ca.key" -addext basicConstraints=critical,CA:FALSE} \
    2>"$work/openssl.log"
}
mkdir "$work/tls"
make_certificate ca keyUsage=critical,keyCertSign
make_certificate server subjectAltName=IP:127.0.0.1 signed
make_certificate client extendedKeyUsage=clientAuth signed

htpasswd -Bbn farm "secret-$unique" >"$work/htpasswd" 2>/dev/null
start_registry "$work/htpasswd" \
  "certificate: $work/tls/server.pem, key: $work/tls/server.key, clientcas: [$work/tls/ca.pem]"
cat >"$work/auth.json" <<END
{"credHelpers": {"$registry": "e2e"}}
END
mkdir "$work/helpers"
cat >"$work/helpers/docker-credential-e2e" <<END
#!/bin/sh
read -r server
[ "\$1 \$server" = "get $registry" ] || { echo "credentials not found in native keychain"; exit 1; }
echo '{"ServerURL": "$registry", "Username": "farm", "Secret": "secret-$unique"}'
END
chmod +x "$work/helpers/docker-credential-e2e"
mkdir "$work/base" "$work/app"
printf 'FROM scratch\nCOPY Containerfile /base\n' >"$work/base/Containerfile"
printf 'FROM mirrored.example/demo/base:1.0\nCOPY Containerfile /app\n' >"$work/app/Containerfile"

log "without the authority the job is refused before anything is built, with what to do"
registry_flags=()
start_controller
start_worker one
wait_for 60 "the worker to join" worker_is_connected one
run "$manyarch" build -t "$registry/demo/base:1.0" --platform linux/amd64 "$work/base"
[ "$rc" != 0 ] || fail "it was taken"
expect_err "$registry" 'is not trusted' 'add its CA under "ca"'
stop controller

log "with one file about the registry all of it works, also on the worker"
cat >"$work/registries.json" <<END
{"registries": {
  "$registry": {"ca": "tls/ca.pem", "client_cert": "tls/client.pem", "client_key": "tls/client.key",
                "concurrency": 4, "requests_per_second": 50},
  "mirrored.example": {"mirrors": [{"location": "$registry"}]}
}}
END
PATH=$work/helpers:$PATH start_controller --registries "$work/registries.json" \
  --registry-authfile "$work/auth.json"
wait_for 60 "the worker to be back" worker_is_connected one
run "$manyarch" build -t "$registry/demo/base:1.0" --platform linux/amd64 "$work/base"
expect_code 0
run "$manyarch" build -t "$registry/demo/app:1.0" --platform linux/amd64 "$work/app"
expect_code 0
curl -sf --cacert "$work/tls/ca.pem" --cert "$work/tls/client.pem" --key "$work/tls/client.key" \
  -u "farm:secret-$unique" -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json' \
  "https://$registry/v2/demo/app/manifests/1.0" | jq -e '.manifests | length == 1' >/dev/null ||
  fail "the list is not there"

log "nothing of it is left on the worker"
stop one
found=$(grep -rlF -e "secret-$unique" -e "$(sed -n 2p "$work/tls/client.key")" "$work/one" "$work"/*.log || true)
expect_equal "files with secrets" "" "$found"
