import { network } from '../../shared/edge/network.ts';
import { createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import type { BindEnvironment } from '../../shared/run/bind.ts';
import { run } from '../../shared/run/run.ts';
import { virtualClock } from '../contract/virtual-clock.ts';
import { createWorld, type World, type WorldOptions } from '../simulators/world.ts';
import type { Entry } from './pipelines.ts';
import { pipeStep, pluginStep, type StepOptions, stepAudiences, tokenVariables } from './steps.ts';

/** How a step ended. */
export interface Ended {
  readonly exitCode: number;
  readonly log: string;
}

/** The simulated services with a clock that waits for nobody. */
export interface SimulatedRuns extends AsyncDisposable {
  readonly world: World;
  runPipe(entry: Entry, options: StepOptions & TokenOptions): Promise<Ended>;
  runPlugin(entry: Entry, options: StepOptions): Promise<Ended>;
}

export interface TokenOptions {
  /** The deployment environment of the step, as it is in the token. */
  readonly deploymentEnvironmentUuid?: string;
}

export async function simulatedRuns(options: Omit<WorldOptions, 'now'> = {}): Promise<SimulatedRuns> {
  const clock = virtualClock();
  const world = await createWorld({ ...options, now: clock.now });
  const env = { KEYLESS_SUBMIT_SIMULATORS: world.url };
  const { transport } = network(env);
  const http = createHttp(transport, clock, HTTP_TIMINGS);

  const ended = async (step: (write: (text: string) => void) => BindEnvironment): Promise<Ended> => {
    const log: string[] = [];
    const bound = step((text) => log.push(text));
    const exitCode = await run({ ...bound, http, clock, signal: new AbortController().signal });
    return { exitCode, log: log.join('') };
  };

  const tokenOf = async (entry: Entry, { deploymentEnvironmentUuid }: TokenOptions) => {
    const audiences = stepAudiences(entry);
    if (audiences === undefined) return {};
    const token = await world.bitbucketToken({
      ...(audiences.length === 0 ? {} : { audiences }),
      ...(deploymentEnvironmentUuid === undefined ? {} : { deploymentEnvironmentUuid }),
    });
    return tokenVariables(token);
  };

  return {
    world,
    runPipe: async (entry, options) => {
      const token = await tokenOf(entry, options);
      return ended((write) => pipeStep(entry, { ...options, write, env: { ...options.env, ...env, ...token } }));
    },
    runPlugin: (entry, options) =>
      ended((write) =>
        pluginStep(entry, {
          ...options,
          write,
          env: { ...options.env, ...env },
          agentApi: `${world.url}/agent-edge.buildkite.com`,
        }),
      ),
    [Symbol.asyncDispose]: () => world.close(),
  };
}
