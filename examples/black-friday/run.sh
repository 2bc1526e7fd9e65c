#!/usr/bin/env bash
# Black Friday with one command: the exchange, 32 telephones of agents, the mobile of the head of the shop, and callers.
#
#   ./run.sh                            forty callers, one a second, of the advertisement's number
#   CALLERS=200 RATE=5 ./run.sh         more of them
#   NUMBER=+35924442000 ./run.sh        of the shop's number: the calendar, then the menu, where they press 3
#   PATIENCE=10 ./run.sh                the one who calls before the agents are there gives up sooner than after 40 seconds
#
# Needs sipp and curl, python3 to see mails and text messages, and for sounds of its own espeak-ng and sox; STROWGER names the
# binary unless it is built already.
# Everything that it starts ends with it.
set -euo pipefail
cd "$(dirname "$0")"
strowger=${STROWGER:-../../target/release/strowger}
callers=${CALLERS:-40} rate=${RATE:-1} number=${NUMBER:-+35924442003} patience=${PATIENCE:-40}
export STROWGER_URL=http://127.0.0.1:8462 STROWGER_TOKEN=try-me

[ -x "$strowger" ] || { echo "there is no $strowger: run make build first, or set STROWGER" >&2; exit 1; }
for tool in sipp curl; do
    command -v "$tool" >/dev/null || { echo "there is no $tool: apt install $tool" >&2; exit 1; }
done

work=$(mktemp -d) started=()
finish() {
    trap - EXIT
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

"$strowger" check --config strowger.toml
"$strowger" serve --config strowger.toml >"$work/exchange.log" 2>&1 &
started+=($!)
until curl --silent --fail --output /dev/null "$STROWGER_URL/healthz"; do
    kill -0 "${started[0]}" 2>/dev/null || { cat "$work/exchange.log" >&2; exit 1; }
    sleep 0.2
done

# A waltz, and an offer in between; what is not here the exchange says by itself, from the prompt's name.
keep() {
    curl --silent --fail --output /dev/null --upload-file "$2" --header "Authorization: Bearer $STROWGER_TOKEN" \
        "$STROWGER_URL/v1/tenants/shop/prompts/$1"
}
speak() { # name, language, words
    espeak-ng -v "$2" -w "$work/$1.wav" "$3" && keep "$1" "$work/$1.wav"
}
if command -v espeak-ng >/dev/null; then
    speak for-english-press-nine en "For English, press nine."
    speak half-price-until-midnight.bg bg "До полунощ всичко е на половин цена."
    speak half-price-until-midnight.en en "Everything is half price until midnight."
    speak delivery-is-free-today.bg bg "Днес доставката е безплатна."
    speak delivery-is-free-today.en en "Delivery is free today."
fi
if command -v sox >/dev/null; then
    sox -n -r 8000 -c 1 "$work/waltz.wav" synth 0.5 sine 262 synth 0.5 sine 330 synth 0.5 sine 392 repeat 7 gain -12 2>/dev/null
    keep waltz "$work/waltz.wav"
fi

phone() { # address, scenario, whatever else
    sipp -sf "$2" -i "$1" -mi "$1" -p 5060 -nostdin "${@:3}" >/dev/null 2>>"$work/phones.log" &
    started+=($!)
}
if command -v python3 >/dev/null; then
    python3 phones/told.py >"$work/told" 2>>"$work/phones.log" &
    started+=($!)
else
    echo "there is no python3: nobody takes mails and text messages, and they stay in the outbox"
fi
"$strowger" contact import contacts.csv --tenant shop

# calls, plays @KEYS@ and stays so many milliseconds
caller() { # keys, milliseconds, file
    sed "s/@KEYS@/$1/; s/120000/$2/" phones/caller.xml >"$work/$3"
}
echo "a customer of Vera's calls before an agent is there, and gives up after $patience seconds"
caller 9 $((patience * 1000 - 3000)) impatient.xml
sipp -sf "$work/impatient.xml" -inf phones/impatient.csv -s +35924442003 -i 127.0.0.3 -mi 127.0.0.3 -p 5072 \
    -m 1 -nostdin 127.0.0.1:5062 >/dev/null 2>>"$work/phones.log"
sleep 1
cat "$work/told" 2>/dev/null || true
"$strowger" missed --tenant shop
echo

phone 127.0.0.2 phones/phone.xml                       # the agents' telephones
phone 127.0.0.3 phones/phone.xml                       # mobiles, behind the carrier
sipp -sf phones/register.xml -inf phones/agents.csv -i 127.0.0.2 -p 5061 -m 32 -r 32 -nostdin 127.0.0.1:5062 >/dev/null
echo "32 agents are registered; $callers callers, $rate a second, dial $number and press 3"

caller 3 120000 caller.xml
sipp -sf "$work/caller.xml" -inf phones/callers.csv -s "$number" -i 127.0.0.3 -mi 127.0.0.3 -p 5070 \
    -m "$callers" -r "$rate" -nostdin 127.0.0.1:5062 >/dev/null 2>>"$work/phones.log" &
calling=$!
started+=("$calling")

while kill -0 "$calling" 2>/dev/null; do
    sleep 5
    echo
    "$strowger" queue list --tenant shop
done
echo
"$strowger" queue show sales --tenant shop
echo
"$strowger" task list --tenant shop
