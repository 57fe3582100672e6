import { expect, test } from 'vitest';
import { canonicalMessage } from '../simulators/protobuf-canonical.ts';
import { validateMessage } from '../simulators/protobuf-walker.ts';

const POOL = 'google.cloud.aiplatform.v1.WorkerPoolSpec';
const SPEC = 'google.cloud.aiplatform.v1.CustomJobSpec';
const PIPELINE = 'google.cloud.aiplatform.v1.PipelineJob';
const pool = { machineSpec: { machineType: 'n1-standard-4' } };

function faults(type: string, value: unknown): string[] {
  return validateMessage(type, value).map(({ description }) => description);
}

test('both spellings of a field are accepted, but not at once', () => {
  expect(faults(POOL, { machine_spec: { machine_type: 'n1' }, replicaCount: '2' })).toEqual([]);
  expect(faults(POOL, { replicaCount: 1, replica_count: 1 })).toEqual([
    'Invalid JSON payload received. Unknown name "replica_count": Proto field is not repeating, cannot start list.',
  ]);
  expect(faults(POOL, { replicacount: 1 })).toEqual([
    'Invalid JSON payload received. Unknown name "replicacount": Cannot find field.',
  ]);
  expect(faults(POOL, { constructor: 1, Replica_count: 1 })).toHaveLength(2);
});

test.each([
  [POOL, { replicaCount: 1 }],
  [POOL, { replicaCount: '9223372036854775807' }],
  [POOL, { machineSpec: null }],
  [POOL, { machineSpec: { acceleratorType: 'NVIDIA_L4', acceleratorCount: 1 } }],
  [POOL, { machineSpec: { acceleratorType: 1 } }],
  [SPEC, { workerPoolSpecs: [pool], scheduling: { timeout: '1.5s' } }],
  [
    PIPELINE,
    {
      pipelineSpec: { any: [1, null, { thing: 'x' }] },
      runtimeConfig: { gcsOutputDirectory: 'gs://b', parameterValues: { a: [1], b: null } },
    },
  ],
])('%s accepts %j', (type, value) => {
  expect(faults(type, value)).toEqual([]);
});

test.each([
  [POOL, { replicaCount: 1.5 }, /Invalid value at 'replica_count' \(TYPE_INT64\), 1.5/],
  [POOL, { replicaCount: '9223372036854775808' }, /TYPE_INT64/],
  [POOL, { machineSpec: { acceleratorCount: 2 ** 31 } }, /'machine_spec.accelerator_count' \(TYPE_INT32\)/],
  [
    POOL,
    { machineSpec: 'n1' },
    /'machine_spec' \(type\.googleapis\.com\/google\.cloud\.aiplatform\.v1\.MachineSpec\), "n1"/,
  ],
  [POOL, { machineSpec: [{}] }, /Unknown name "machineSpec": Proto field is not repeating/],
  [POOL, { machineSpec: { machineType: {} } }, /'machine_spec' \(machineType\), Starting an object on a scalar field/],
  [POOL, { machineSpec: { machineType: 4 } }, /'machine_spec.machine_type' \(TYPE_STRING\), 4/],
  [POOL, { containerSpec: { imageUri: 'i', args: 'x' } }, /'container_spec.args' \(TYPE_STRING\), "x"/],
  [POOL, { containerSpec: { imageUri: 'i', args: [1] } }, /'container_spec.args\[0\]' \(TYPE_STRING\), 1/],
  [POOL, { containerSpec: { imageUri: 'i', args: [null] } }, /'container_spec.args\[0\]' \(TYPE_STRING\), null/],
  [
    POOL,
    {
      containerSpec: { imageUri: 'i' },
      python_package_spec: { executorImageUri: 'i', packageUris: ['p'], pythonModule: 'm' },
    },
    /\(oneof\), oneof field 'task' is already set\. Cannot set 'python_package_spec'/,
  ],
  [
    SPEC,
    { workerPoolSpecs: [pool], scheduling: { timeout: 3600 } },
    /Field 'timeout', Illegal duration format; duration must end with 's'/,
  ],
  [SPEC, { workerPoolSpecs: [pool], scheduling: { timeout: '1h' } }, /Illegal duration format/],
  [SPEC, { workerPoolSpecs: [pool], enableWebAccess: 'true' }, /'enable_web_access' \(TYPE_BOOL\), "true"/],
  [SPEC, { workerPoolSpecs: [] }, /^Required field is not set\.$/],
  [PIPELINE, { labels: { a: 1 } }, /'labels\[0\].value' \(TYPE_STRING\), 1/],
  [PIPELINE, { labels: ['a'] }, /'labels'/],
  [PIPELINE, { pipelineSpec: 'text' }, /'pipeline_spec' \(type\.googleapis\.com\/google\.protobuf\.Struct\)/],
  [PIPELINE, 'text', /PipelineJob\), "text"/],
])('%s refuses %j', (type, value, description) => {
  expect(faults(type, value)).toEqual([expect.stringMatching(description)]);
});

test('a message is written back in canonical JSON', () => {
  const written = canonicalMessage(POOL, {
    replica_count: 2,
    machine_spec: { accelerator_type: 1, accelerator_count: '1', machine_type: 'n1' },
    container_spec: { image_uri: 'i', args: [], env: [{ name: 'A', value: 'b' }] },
    disk_spec: { boot_disk_size_gb: 0 },
    nfs_mounts: null,
  });
  expect(written).toEqual({
    replicaCount: '2',
    machineSpec: { acceleratorType: 'NVIDIA_TESLA_K80', acceleratorCount: 1, machineType: 'n1' },
    containerSpec: { imageUri: 'i', env: [{ name: 'A', value: 'b' }] },
    diskSpec: {},
  });
});
