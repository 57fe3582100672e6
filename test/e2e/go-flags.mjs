/**
 * Reads a command line as the agent's own parser does (https://pkg.go.dev/flag, with flags allowed after arguments):
 * `-flag` is `--flag`, a value follows as the next word or after `=`, and a list takes commas and repetition. A flag
 * that is not given may come from its variable in `env`. Returns `fault` instead where the command line is refused.
 */
export function parseFlags(words, flags, env) {
  const options = fromEnvironment(flags, env);
  const args = [];
  const listed = new Set();
  const rest = [...words];
  while (rest.length > 0) {
    const word = rest.shift();
    const [, name, inline] = /^--?([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) {
      args.push(word);
      continue;
    }
    if (!Object.hasOwn(flags, name)) return { fault: `flag provided but not defined: -${name}` };
    const { takes } = flags[name];
    if (takes === undefined) {
      options[name] = inline !== 'false';
      continue;
    }
    const value = inline ?? rest.shift();
    if (value === undefined) return { fault: `flag needs an argument: -${name}` };
    if (takes === 'value') options[name] = value;
    else options[name] = [...(listed.has(name) ? options[name] : []), ...value.split(',')];
    listed.add(name);
  }
  return { options, args };
}

function fromEnvironment(flags, env) {
  const options = {};
  for (const [name, { env: variable, takes }] of Object.entries(flags)) {
    const value = variable === undefined ? undefined : env[variable];
    if (!value) continue;
    if (takes === undefined) options[name] = value === 'true';
    else options[name] = takes === 'list' ? value.split(',') : value;
  }
  return options;
}
