import { join } from 'node:path';
import { styleText } from 'node:util';
import { defined } from '../shared/json.ts';
import { createWorld, type World } from '../test/simulators/world.ts';
import { identityLegend, isAsExpected, nameOf, storyText, summaryTable } from './demo-print.ts';
import { type Told, tell } from './demo-run.ts';
import { STORIES } from './demo-stories.ts';
import { FLOW_RUN_LIVES, livesByName } from './lives-by-name.ts';
import { makePackagings } from './packagings.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Runs all stories at once against the simulators, prints each whole in its turn, and last what was submitted by whom. */
async function demo(folder: string): Promise<number> {
  const jobs = STORIES.map((_story, index) => buildkiteJob(index + 1));
  const otherBuildkiteJobs = new Map(jobs.map(({ jobId, stepKey }) => [jobId, stepKey]));
  await using world = await createWorld({ ...livesByName, otherBuildkiteJobs });
  for (const life of FLOW_RUN_LIVES) world.prefect.nextLife(life);
  const printed: string[] = [];
  const print = (text: string) => {
    printed.push(text);
    process.stdout.write(`${text}\n`);
  };
  print(introduction(world.url));

  const packagings = await makePackagings(folder);
  const tokens = await Promise.all(
    STORIES.map(({ kind, ci, token }) => world.bitbucketToken({ audiences: [kind.audience(ci)], ...token })),
  );
  const begun: Promise<Told>[] = [];
  for (const [index, story] of STORIES.entries()) {
    const { kind, checkout, settings } = story;
    const job = jobs[index];
    // What changes something for good comes after the steps before it that may build on how that was.
    const before = kind.repeatable ? begun.filter((_told, at) => STORIES[at]?.kind.service === kind.service) : [];
    const run = async (): Promise<Told> => {
      await Promise.all(before);
      kind.setUp?.(world);
      const plan = {
        packagings,
        simulators: world.url,
        folder: join(folder, `step-${index + 1}`),
        files: checkout,
        settings,
        ...defined({ job }),
      };
      return tell(story, plan, world, tokens[index] ?? '');
    };
    begun.push(run());
  }
  const all: Told[] = [];
  for (const story of begun) {
    all.push(await story);
    print(storyText(await story, all.length, STORIES.length));
  }

  print(`\n${styleText('bold', 'Who submitted what, as the services saw it')}\n`);
  print(`${summaryTable(all)}\n\n${styleText('gray', identityLegend(all))}\n`);
  const issued = [...tokens, ...issuedTokens(world)];
  const problems = [
    ...all.filter((told) => !isAsExpected(told)).map(({ story }) => `${nameOf(story)} (${story.about})`),
    ...(issued.some((token) => printed.some((text) => text.includes(token))) ? ['a token was printed above'] : []),
  ];
  print(conclusion(problems, issued.length));
  return problems.length === 0 ? 0 : 1;
}

/** Each story is a step of its own, so that its outputs have places of their own. */
function buildkiteJob(number: number) {
  return { jobId: `0190b1c2-1111-4abc-8def-${String(100 + number).padStart(12, '0')}`, stepKey: `step-${number}` };
}

function introduction(simulators: string): string {
  return `${styleText('bold', `keyless-submit: ${STORIES.length} steps on two CIs, and no stored key`)}

Real:       both packagings as processes, the hooks, every token's signature
Simulated:  Bitbucket, Buildkite, Google Cloud, Databricks, Prefect and Vercel, on ${simulators}
Stand-in:   the command buildkite-agent is a small stand-in, not the real agent

All steps run now, most at the same time; each one's log follows whole.`;
}

function conclusion(problems: readonly string[], issued: number): string {
  if (problems.length > 0) {
    return styleText('red', ['Not as expected:', ...problems.map((problem) => `  ${problem}`)].join('\n'));
  }
  return `${styleText('green', '✔ Every step ended as expected.')} ${issued} tokens were issued; none of them is in the logs above.

Next, in README.md: "Bitbucket Pipelines" or "Buildkite" for the first step of your own,
"What it does" for what you saw, "Security model" for why no key is stored.
By hand: npm run simulators.`;
}

function issuedTokens({ google, databricks, prefect, vercel, agentApi }: World): readonly string[] {
  return [
    ...google.issuedTokens(),
    ...prefect.issuedTokens(),
    ...vercel.issuedTokens(),
    ...databricks.issued().map(({ accessToken }) => accessToken),
    ...agentApi.oidcRequests().map(({ token }) => token),
  ];
}

process.exitCode = await demo(temporaryFolder('demo'));
