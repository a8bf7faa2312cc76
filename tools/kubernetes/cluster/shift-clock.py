"""shift-clock.py RUNC-ARGUMENTS: loads Debian's libfaketime into a container that is about to be created, by its bundle's config.json."""
import glob
import json
import sys

FOLDER = '/run/machine'
INSIDE = '/run/libfaketime.so'
SHIFTED = ('/enclave-agent@', '/enclave-sidecar@')

arguments = sys.argv[1:]
if 'create' not in arguments or '--bundle' not in arguments:
    sys.exit(0)
path = arguments[arguments.index('--bundle') + 1] + '/config.json'
with open(path) as file:
    config = json.load(file)
annotations = config.get('annotations', {})
if not any(name in annotations.get('io.kubernetes.cri.image-name', '') for name in SHIFTED):
    sys.exit(0)
with open(FOLDER + '/clock') as file:
    offset = file.read().strip()
library = glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]
config['mounts'].append({'destination': INSIDE, 'type': 'bind', 'source': library, 'options': ['bind', 'ro', 'nosuid', 'nodev']})
# The monotonic clock stays: it has no hour to be ahead of.
config['process']['env'] += ['LD_PRELOAD=' + INSIDE, 'FAKETIME=' + offset, 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'FAKETIME_DISABLE_SHM=1']
with open(path, 'w') as file:
    json.dump(config, file)
