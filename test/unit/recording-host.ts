import type { CiContext } from '../../shared/host/ci-context.ts';
import type { Host, Log, Outputs, RememberedJob } from '../../shared/host/host.ts';
import type { Report } from '../../shared/host/report.ts';

/** A CI that keeps all that it is given. */
export interface RecordingHost {
  readonly host: Host;
  /** `LEVEL: text`, in order; of a section `section KIND: title`. */
  readonly lines: readonly string[];
  readonly reports: readonly Report[];
  readonly outputs: () => Outputs | undefined;
  readonly remembered: () => RememberedJob | undefined;
}

const CONTEXT: CiContext = {
  platform: 'buildkite',
  repository: 'acme/vision',
  pipeline: 'p',
  commit: '0123456789abcdef0123456789abcdef01234567',
  build: 'b',
  buildNumber: '42',
  buildUrl: 'https://buildkite.com/acme/vision/builds/42',
  step: 's',
  attempt: 1,
  retry: 'none',
};

export function recordingHost(changes: Partial<Host> = {}): RecordingHost {
  const lines: string[] = [];
  const reports: Report[] = [];
  let outputs: Outputs | undefined;
  let remembered: RememberedJob | undefined;
  const at = (level: string) => (line: string) => void lines.push(`${level}: ${line}`);
  const log: Log = {
    section: (kind, title) => at(`section ${kind}`)(title),
    info: at('info'),
    success: at('success'),
    warning: at('warning'),
    error: at('error'),
    debug: at('debug'),
    remote: (texts) => texts.forEach(at('remote')),
    link: (url) => `<${url}>`,
  };
  const host: Host = {
    context: CONTEXT,
    settings: new Map(),
    spell: (setting) => setting,
    subjectTokens: {
      renewable: true,
      isDefaultAudience: () => false,
      changingSubject: () => undefined,
      howToRequest: () => [],
      getSubjectToken: () => Promise.reject(new Error('there is no token')),
    },
    log,
    conceal: async () => undefined,
    report: async (report) => void reports.push(report),
    removeReport: async () => undefined,
    publish: async (given) => {
      outputs = given;
      return ['outputs.json'];
    },
    publishProblems: async () => [],
    previousOutputs: async () => undefined,
    remember: async (job) => {
      remembered = job;
    },
    forget: async () => {
      remembered = undefined;
    },
    graceOnCancel: true,
    ...changes,
  };
  return { host, lines, reports, outputs: () => outputs, remembered: () => remembered };
}
