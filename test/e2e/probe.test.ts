import { it } from 'vitest';
import { createWorld } from '../simulators/world.ts';
import { KINDS_IN_USE } from './kinds.ts';
import { CIS, runStep } from './step.ts';
for (const ci of CIS) for (const kind of KINDS_IN_USE) for (const fail of [false, true])
  it(`${ci} ${kind.id} ${fail}`, async () => {
    await using world = await createWorld();
    if (fail) kind.fail(world);
    const t = performance.now();
    const ended = await runStep(ci, { world, settings: kind.settings(ci), checkout: kind.checkout });
    console.log('=====', ci, kind.id, fail, ended.exitCode, Math.round(performance.now() - t), 'ms');
    console.log(ended.output.replace(/\x1b/g, '␛'));
    if (!fail) { console.log(ended.files); console.log(ended.agentCalls.map((c) => [c.argv.join(' '), c.stdin?.slice(0, 100)])); 
    console.log(JSON.stringify(world.reports.reports(), null, 1).slice(0, 3000)); console.log(world.agentApi.annotations(), world.agentApi.metaData()); console.log(world.requests.map((r) => `${r.method} ${r.host}${r.path}`).join('\n')); }
  });
