import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
var t="[redacted]",r=class{#t;constructor(n){this.#t=n}reveal(){return this.#t}toString(){return t}toJSON(){return t}[Symbol.for("nodejs.util.inspect.custom")](){return t}};export{r as a};
