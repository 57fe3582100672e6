import { testExactlyOnce } from './exactly-once.ts';
import { KIND_SAMPLES } from './kind-samples.ts';

testExactlyOnce(KIND_SAMPLES.filter(({ service }) => service === 'vercel'));
