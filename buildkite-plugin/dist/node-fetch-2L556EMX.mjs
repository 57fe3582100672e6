import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{b as e}from"./chunk-KSPA745I.mjs";var t,l=e(()=>{t=globalThis.fetch});l();export{t as default};
