import { productionKind } from './production-kind.ts';

/** Points production back at an earlier deployment. https://vercel.com/docs/instant-rollback */
export const kind = productionKind(
  'rollback',
  'Vercel rollback',
  'The deployment to go back to, which production served before.',
);
