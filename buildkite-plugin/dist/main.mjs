import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import"./chunk-GJYCUJIL.mjs";import"./chunk-KSPA745I.mjs";
