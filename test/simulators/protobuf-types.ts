import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** A field of a message, as protobufjs describes it in JSON (https://protobufjs.github.io/protobuf.js/#json-reflection). */
export interface FieldDescriptor {
  readonly type: string;
  readonly rule?: 'repeated' | 'required';
  /** Only in map fields. */
  readonly keyType?: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

export interface TypeDescriptor {
  readonly fields?: Readonly<Record<string, FieldDescriptor>>;
  readonly oneofs?: Readonly<Record<string, { readonly oneof: readonly string[] }>>;
  /** Only in enums. */
  readonly values?: Readonly<Record<string, number>>;
  readonly nested?: Readonly<Record<string, TypeDescriptor>>;
}

/** A type with its full name. */
export interface ResolvedType {
  readonly name: string;
  readonly descriptor: TypeDescriptor;
}

/** Looks types up by name, from the inside of a scope outwards as protobuf does. */
export type TypeLookup = (name: string, scope: string) => ResolvedType | undefined;

let aiplatform: TypeLookup | undefined;

/** The published types of Vertex AI, loaded once and only when they are needed: the file has 4 MB. */
export function aiplatformTypes(): TypeLookup {
  if (aiplatform === undefined) {
    const file = createRequire(import.meta.url).resolve('@google-cloud/aiplatform/build/protos/protos.json');
    aiplatform = typeLookup(JSON.parse(readFileSync(file, 'utf8')) as TypeDescriptor);
  }
  return aiplatform;
}

/** A lookup over a root namespace. */
export function typeLookup(root: TypeDescriptor): TypeLookup {
  return (name, scope) => {
    const scopes = scope === '' ? [] : scope.split('.');
    for (let depth = scopes.length; depth >= 0; depth -= 1) {
      const full = [...scopes.slice(0, depth), ...name.split('.')];
      const descriptor = full.reduce<TypeDescriptor | undefined>((type, part) => type?.nested?.[part], root);
      if (descriptor?.fields !== undefined || descriptor?.values !== undefined)
        return { name: full.join('.'), descriptor };
    }
    return undefined;
  };
}

/** `displayName` for `display_name`: the name of a field in proto3 JSON. */
export function jsonName(protoName: string): string {
  return protoName.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `display_name` for `displayName`. */
export function protoName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
