/** A fenced block of a Markdown file. */
export interface Fence {
  readonly language: string;
  readonly text: string;
  /** The heading that it stands under. */
  readonly heading: string;
}

const FENCE = /^( *)```(\w+)\n([\s\S]*?)^\1```$/gm;

/** The fenced blocks of a page, those in lists without their indentation. */
export function fences(page: string): readonly Fence[] {
  return [...page.matchAll(FENCE)].map(({ index, 1: indent = '', 2: language = '', 3: body = '' }) => ({
    language,
    text: body.replace(new RegExp(`^${indent}`, 'gm'), ''),
    heading: headings(page.slice(0, index)).at(-1) ?? '',
  }));
}

/** The page's headings, outside of fences. */
export function headings(page: string): readonly string[] {
  return [...withoutFences(page).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title);
}

/** Everything in backticks outside of fences. */
export function codeSpans(page: string): readonly string[] {
  return [...withoutFences(page).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** Link targets outside of fences. */
export function links(page: string): readonly string[] {
  return [...withoutFences(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The anchor that a heading gets where the page is shown. */
export function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');
}

function withoutFences(page: string): string {
  return page.replace(FENCE, '');
}
