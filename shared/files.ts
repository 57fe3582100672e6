/** The checkout's files, as far as the core may touch them. Paths are relative to it, or absolute inside it. */
export interface Files {
  /** The file's text, or what is wrong with it in words that complete "PATH: …" (missing, a directory, outside the checkout, too large, not UTF-8). */
  read(path: string, limitBytes: number): Promise<{ readonly text: string } | { readonly problem: string }>;
  /** Writes a file that only its owner may change, with the directories that lead to it. Rejects with a plain message. */
  write(path: string, text: string): Promise<void>;
}
