/** What a person should see beside the log: rendered as an annotation or a Code Insights report by the host. */
export interface Report {
  readonly title: string;
  readonly state: 'pending' | 'passed' | 'failed';
  /** One sentence: the state in words. */
  readonly summary: string;
  readonly url?: string;
  /** Rows in order of importance; hosts with room for few drop the last ones. */
  readonly facts: readonly ReportFact[];
  /** Untrusted lines, such as the end of a failed task's output. */
  readonly remote?: readonly string[];
}

export interface ReportFact {
  readonly label: string;
  readonly value: string;
  readonly url?: string;
}
