import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import"./chunk-RN7HSP3D.mjs";import"./chunk-KSPA745I.mjs";
