/** The checkout's files, as far as the core may touch them. Paths are relative to it, or absolute inside it. FIFOs, devices and sockets are never opened for data. */
export interface Files {
  /** The file's text, or what is wrong with it in words that complete "PATH: …" (missing, not a file, outside the checkout, too large, not UTF-8). */
  read(path: string, limitBytes: number): Promise<{ readonly text: string } | { readonly problem: string }>;
  /** Everything below a directory that is not a directory, in the order of the paths; symbolic links are listed and not followed. */
  list(directory: string): Promise<{ readonly entries: readonly FileEntry[] } | { readonly problem: string }>;
  /** One file or link as `list` gives it, under the path that was asked for. */
  entry(path: string): Promise<FileEntry | { readonly problem: string }>;
  /** A file's bytes, a part at a time. Rejects with a plain message. */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** What would keep `write` from writing to the path, in words that begin with it; undefined when nothing would. Changes nothing. */
  writeProblem(path: string): Promise<string | undefined>;
  /**
   * Writes a new file that only its owner may change, and the directories that lead to it, in the place of a plain file that may be
   * there. A file that cannot be written is left as it was. Rejects with a plain message.
   */
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
