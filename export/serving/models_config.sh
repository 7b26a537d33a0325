#!/bin/sh
# Prints models.config for the models of an export: sh models_config.sh OUT > models.config
set -eu
base=${1:?usage: sh models_config.sh OUT}/saved_model
count=0
echo "model_config_list {"
for folder in "$base"/*/; do
  [ -d "$folder" ] || continue
  name=$(basename "$folder")
  printf '  config {\n    name: "%s"\n    base_path: "/models/%s"\n    model_platform: "tensorflow"\n  }\n' "$name" "$name"
  count=$((count + 1))
done
echo "}"
if [ "$count" -eq 0 ]; then
  echo "error: $base holds no models; give the OUT of python -m cyclegan_tf.export." >&2
  exit 1
fi
