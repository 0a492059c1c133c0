#!/bin/bash
# What systemd.test.mjs does in the container, as SHARE/run: installs what deploy/README.md installs, and writes what it sees to
# /share/seen, one `name=value` a line.
set -u
cd /share
see() { printf '%s=%s\n' "$1" "$2" >> seen; }
show() { systemctl show countersign --value --property="$1"; }
# Polls until the property matches, for 20 seconds at most, and says what it was last.
until_shown() {
  local end=$((SECONDS + 20)) value
  value=$(show "$1")
  while [[ ! "$value" =~ $2 ]] && [ $SECONDS -lt $end ]; do sleep 0.05; value=$(show "$1"); done
  printf '%s\n' "$value"
}
answers() { curl --silent --max-time 5 http://127.0.0.1:8080/.well-known/openid-configuration | grep -o '"issuer":"[^"]*"'; }

install -m 755 countersign /usr/local/bin/
install -d -m 755 /etc/countersign
install -d -m 700 /etc/countersign/secrets
install -m 644 broker.toml /etc/countersign/
install -m 644 countersign.service /etc/systemd/system/
for secret in corp grafana; do (umask 077; echo "secret-of-$secret-0123456789" > /etc/countersign/secrets/$secret); done
# Times that suit a test.
mkdir -p /etc/systemd/system/countersign.service.d
printf '[Service]\nWatchdogSec=2s\nRestartSec=100ms\n' > /etc/systemd/system/countersign.service.d/quick.conf
systemctl daemon-reload

systemctl start countersign
see start $?
see answer "$(answers)"
see status "$(show StatusText)"
pid=$(show MainPID)
see user "$(ps -o user= -p "$pid")"
see confined "$(grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' /proc/$pid/status | tr -s '\t\n' ' ')"
see credentials "$(stat -c '%U %a' /proc/$pid/root/run/credentials/countersign.service/secrets_* | tr '\n' ' ')"
see state "$(stat -c '%U %a' /var/lib/countersign/ /var/lib/countersign/broker.db | tr '\n' ' ')"

# The provider's name leads to this machine, where nothing answers: what the broker says of it shows how far it came.
echo '127.0.0.1 id.corp.example' >> /etc/hosts
see sign_in "$(curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}' --get \
  --data 'client_id=grafana&response_type=code&scope=openid&state=s&code_challenge_method=S256' \
  --data 'code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' \
  --data-urlencode 'redirect_uri=https://grafana.example.com/login/generic_oauth' http://127.0.0.1:8080/oauth2/authorize)"
see outbound "$(journalctl --quiet --unit=countersign --output=cat | grep -m1 'id.corp.example' | cut -c1-600)"

sed -i 's/^listen = .*/&\nshutdown_grace = "5s"/' /etc/countersign/broker.toml
see reloaded "$(until_shown StatusText 'generation 2')"
echo 'nonsense = 1' > /tmp/broken; cat /etc/countersign/broker.toml >> /tmp/broken; cp /etc/countersign/broker.toml /tmp/sound
cp /tmp/broken /etc/countersign/broker.toml
see refused "$(until_shown StatusText refused)"
see refused_answer "$(answers)"
cp /tmp/sound /etc/countersign/broker.toml
systemctl reload countersign
see reload $?
see mended "$(until_shown StatusText '^generation')"

kill -STOP "$pid"
see restarts "$(until_shown NRestarts 1)"
see restarted "$(until_shown SubState running)"
see watchdog "$(journalctl --quiet --unit=countersign --output=cat | grep -c 'Watchdog timeout')"
see restarted_answer "$(answers)"

systemctl stop countersign
see stop "$? $(show Result)"
see stopped "$(journalctl --quiet --unit=countersign --output=cat | tail -5 | grep -c 'stopping after the requests under way')"

cp /tmp/broken /etc/countersign/broker.toml
systemctl reset-failed countersign
systemctl start countersign 2> /dev/null
see broken_start "$? $(show Result) $(show NRestarts) $(show ExecMainStatus)"
journalctl --quiet --unit=countersign --output=cat > journal
