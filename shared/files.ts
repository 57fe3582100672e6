/** The checkout's files, as far as the core may touch them. Paths are relative to it, or absolute inside it. */
export interface Files {
  /** The file's text, or what is wrong with it in words that complete "PATH: …" (missing, a directory, outside the checkout, too large, not UTF-8). */
  read(path: string, limitBytes: number): Promise<{ readonly text: string } | { readonly problem: string }>;
  /** Everything below a directory that is not a directory, in the order of the paths; symbolic links are listed and not followed. */
  list(directory: string): Promise<{ readonly entries: readonly FileEntry[] } | { readonly problem: string }>;
  /** One file as `list` gives it, under the path that was asked for. */
  entry(path: string): Promise<FileEntry | { readonly problem: string }>;
  /** A file's bytes, a part at a time. Rejects with a plain message. */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** Writes a file that only its owner may change, with the directories that lead to it. Rejects with a plain message. */
  write(path: string, text: string): Promise<void>;
}

export interface FileEntry {
  /** From the listed directory, with `/`. */
  readonly path: string;
  /** As `stat` gives it: the kind of file and its permissions. */
  readonly mode: number;
  readonly bytes: number;
  /** Where a symbolic link leads, as it is written. */
  readonly link?: string;
}
