import { SubmitError } from '../errors.ts';
import type { Files } from '../files.ts';
import type { CiContext } from '../host/ci-context.ts';
import type { Host } from '../host/host.ts';
import type { ProtectedVariables } from '../host/protected-variables.ts';
import type { Json, JsonObject } from '../json.ts';
import type { JobKind, ListedKind, Plan, Run } from '../kind.ts';
import { runSettings } from '../settings/run-settings.ts';
import {
  collectFaults,
  type Faults,
  type ListedSetting,
  parseSettings,
  refuseUnknown,
  type Settings,
  type SettingValues,
  showValue,
} from '../settings/settings.ts';
import { applyOverrides, loadSpec } from '../settings/spec.ts';
import { concealCopies, concealPasted, concealStored } from '../settings/stored-secrets.ts';
import { fillEverywhere, type Placeholders } from '../settings/template.ts';
import { submissionKey } from '../submission-key.ts';

export interface BindEnvironment {
  readonly host: Host;
  /** Settings that only this CI has. */
  readonly hostSettings: Settings;
  readonly kinds: readonly ListedKind[];
  /** The settings of all kinds by name. */
  readonly kindSettings: Readonly<Record<string, ListedSetting>>;
  readonly files: Files;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly protectedVariables: ProtectedVariables;
}

type RunValues = SettingValues<ReturnType<typeof runSettings>>;

/** A step whose every setting is checked. */
export interface BoundRun {
  readonly kind: JobKind;
  readonly plan: Plan;
  readonly values: RunValues;
  /** How long the job is waited for, in seconds. */
  readonly waitSeconds: number;
}

/**
 * Checks every setting and the spec before the first effect.
 * @throws SubmitError `invalid-settings` with all faults together, in the spelling of the CI.
 */
export async function bindRun(environment: BindEnvironment): Promise<BoundRun> {
  const { host, hostSettings, kinds, kindSettings } = environment;
  await concealCopies(host.settings, environment, host);
  const faults = collectFaults(host.spell);
  const shared = runSettings(kinds.map(({ id }) => id));
  const values = parseSettings(shared, host.settings, faults);
  parseSettings(hostSettings, host.settings, faults);

  const chosen = host.settings.get('job');
  const kind = (await kinds.find(({ id }) => id === chosen)?.load())?.kind;
  if (kind === undefined) throw await invalid(faults, environment);

  const known = new Set([...Object.keys(shared), ...Object.keys(hostSettings), ...Object.keys(kind.settings)]);
  refuseUnknown(host.settings.keys(), known, kindSettings, faults);

  const placeholders = placeholdersOf(environment);
  const given = withPlaceholders(host.settings, kind.settings, placeholders, faults);
  await concealStored(kind.settings, given, host);
  await concealCopies(given, environment, host);
  const spec = await boundSpec(kind, given, placeholders, environment, faults);
  const attach = values?.attach ?? (host.settings.has('attach') ? '' : undefined);
  const specIsUnread = spec === undefined && given.has('spec');
  if (!specIsUnread) kind.checkSpec(spec, attach !== undefined, faults);
  const plan = await kind.bind(given, {
    context: host.context,
    subjectTokens: host.subjectTokens,
    spec,
    attach: attach !== undefined,
    timeoutSeconds: values?.timeout ?? 0,
    files: environment.files,
    earlierOutputs: host.earlierOutputs,
    faults,
  });
  if (values?.attach !== undefined && plan !== undefined && !isAttachable(values.attach, plan.run, host)) {
    faults.add('attach', `expected ${shared.attach.expected}; got ${showValue(values.attach)}`);
  }
  for (const { setting, problem } of await host.publishProblems()) faults.add(setting, problem);
  if (faults.messages.length > 0 || values === undefined || plan === undefined)
    throw await invalid(faults, environment);
  const waitSeconds = host.settings.has('timeout')
    ? values.timeout
    : (plan.longestSeconds ?? Math.max(values.timeout, (plan.does === 'run' ? plan.serverTimeoutSeconds : 0) ?? 0));
  return { kind, plan, values, waitSeconds };
}

function isAttachable(reference: string, run: Run, host: Host): boolean {
  if (/^step:./.test(reference)) return host.earlierOutputs !== undefined;
  if (/^file:./.test(reference)) return true;
  if (/^key:/.test(reference)) return /^key:[0-9a-f]{64}$/.test(reference) && run.find !== undefined;
  return run.readReference(reference) !== undefined;
}

function placeholdersOf({ host, env, kindSettings, protectedVariables }: BindEnvironment): Placeholders {
  // Where settings are variables, a secret one must not be copied either, whichever kind it is of.
  const secrets = new Set(
    Object.entries(kindSettings).flatMap(([name, { secret }]) => (secret === true ? [host.spell(name)] : [])),
  );
  return {
    context: host.context,
    env,
    protectedVariables: {
      // Lists come as NAME_COUNT, NAME_0, NAME_1…
      has: (name, value) =>
        protectedVariables.has(name, value) || secrets.has(name) || secrets.has(name.replace(/_(?:COUNT|\d+)$/, '')),
    },
  };
}

/** Fills placeholders in the kind's settings; the spec's are filled where file and line are known. */
function withPlaceholders(
  given: ReadonlyMap<string, Json>,
  settings: Settings,
  placeholders: Placeholders,
  faults: Faults,
): ReadonlyMap<string, Json> {
  return new Map(
    [...given].map(([name, value]) =>
      // A spec's own placeholders are filled where file and line are known, but a path to it is a setting like others.
      Object.hasOwn(settings, name) && (settings[name]?.form !== 'document' || isPath(value))
        ? [
            name,
            fillEverywhere(value, placeholders, (problem, isName) =>
              faults.add(name, settings[name]?.secret === true && !isName ? NOT_SHOWN : problem),
            ),
          ]
        : [name, value],
    ),
  );
}

/** For what is taken for a placeholder and may be a part of a secret. */
const NOT_SHOWN = 'has a placeholder that cannot be filled, and is not shown (write @@{ for a literal @{)';

function isPath(value: Json): boolean {
  return typeof value === 'string' && !value.trimStart().startsWith('{');
}

async function boundSpec(
  kind: JobKind,
  given: ReadonlyMap<string, Json>,
  placeholders: Placeholders,
  { files }: BindEnvironment,
  faults: Faults,
): Promise<JsonObject | undefined> {
  const { spec: setting, set } = kind.settings;
  const written = given.get('spec');
  const changes = set?.schema().safeParse(given.get('set')).success === true ? given.get('set') : undefined;
  if (setting === undefined || (written === undefined && changes === undefined)) return undefined;
  if (written !== undefined && !setting.schema().safeParse(written).success) return undefined;
  const spec = written === undefined ? {} : await loadSpec(written as string | JsonObject, files, placeholders, faults);
  return spec === undefined || changes === undefined ? spec : applyOverrides(spec, changes as JsonObject, faults);
}

/** At most this many faults are listed. */
const MOST_FAULTS = 100;

/** Nothing that looks like a key is shown with the faults, whichever setting it was pasted into. */
async function invalid(faults: Faults, { host }: BindEnvironment): Promise<SubmitError> {
  await concealPasted(host.settings, host);
  const count = faults.messages.length;
  return new SubmitError('invalid-settings', {
    happened:
      count === 1 ? 'A setting is wrong; nothing was sent' : `${count} faults in the settings; nothing was sent`,
    presented: [
      ...faults.messages.slice(0, MOST_FAULTS),
      ...(count > MOST_FAULTS ? [`… and ${count - MOST_FAULTS} more`] : []),
    ],
    remedy: [
      `Correct ${count === 1 ? 'it' : 'them'} and retry the step; ${host.spell('dry-run')} checks without submitting.`,
    ],
  });
}

/** The key of a bound run as far as its settings tell. An attached run goes by how it was named. */
export function keyOfRun(bound: BoundRun, context: CiContext): string {
  const { plan, values } = bound;
  const payload = plan.does === 'attach' ? { attach: values.attach ?? '' } : plan.submission.payload;
  return keyOfSubmission(bound, payload, context);
}

/**
 * The key of what is submitted, which also depends on where it goes: the same spec in two projects, workspaces or servers is two
 * submissions.
 */
export function keyOfSubmission({ kind, plan, values }: BoundRun, payload: JsonObject, context: CiContext): string {
  const { origin, place } = plan.access;
  return submissionKey(context, kind.id, [origin, place ?? '', payload], values.instance);
}
