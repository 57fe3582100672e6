import { productionKind } from './production-kind.ts';

const WHICH = 'The deployment to go back to, which production served before.';

/** Points production back at an earlier deployment. https://vercel.com/docs/instant-rollback */
export const kind = productionKind('rollback', 'Vercel rollback', WHICH);
