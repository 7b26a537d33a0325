#!/bin/sh
# Translates an image with curl: sh client_curl.sh INPUT OUTPUT.png MODEL [HOST:PORT]
set -eu
usage="usage: sh client_curl.sh INPUT OUTPUT.png MODEL [HOST:PORT]"
input=${1:?$usage} output=${2:?$usage} model=${3:?$usage} address=${4:-127.0.0.1:8501}
# What fails at the head of a pipe does not end it: an empty image would be sent.
if [ ! -f "$input" ] || [ ! -r "$input" ]; then
  echo "error: $input is no file that can be read; give a JPEG or PNG." >&2
  exit 1
fi
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
# The image goes through pipes: it would be too long for a command line.
status=$(
  {
    printf '{"signature_name": "image_bytes", "instances": [{"b64": "'
    base64 < "$input" | tr -d '\n'
    printf '"}]}'
  } | curl --silent --show-error --header 'Content-Type: application/json' --data-binary @- \
    --output "$answer" --write-out '%{http_code}' "http://$address/v1/models/$model:predict"
)
if [ "$status" != 200 ]; then
  echo "error: HTTP $status: $(cat "$answer")" >&2
  exit 1
fi
sed -n 's/.*"b64": *"\([^"]*\)".*/\1/p' "$answer" | base64 -d > "$output"
echo "$output"
