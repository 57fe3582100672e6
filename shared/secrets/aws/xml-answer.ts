import { parseXml, type XmlElement } from '@rgrove/parse-xml';
import type { Json, JsonObject } from '../../json.ts';

/**
 * An XML document as JSON: elements by name, text where there are none below. Loaded only when an answer is XML.
 * @returns undefined for text that is not a whole XML document.
 */
export function xmlAsJson(text: string): JsonObject | undefined {
  try {
    const { root } = parseXml(text);
    return root === null ? undefined : { [root.name]: content(root) };
  } catch {
    // The message is left out: it quotes what could not be parsed.
    return undefined;
  }
}

function content(element: XmlElement): Json {
  const members = element.children.filter((child): child is XmlElement => child.type === 'element');
  if (members.length === 0) return element.text;
  return Object.fromEntries(members.map((member) => [member.name, content(member)]));
}
