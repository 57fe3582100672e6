import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import"./chunk-6YDSHVIV.mjs";import"./chunk-KSPA745I.mjs";
