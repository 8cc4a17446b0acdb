// An update with nothing that ends it early: `update.mjs SOURCE OUTPUT [overwrite]`.
import { outcome, rosi, say, slowPlan } from './common.mjs';

const [source, output, overwrite] = process.argv.slice(2);
let told = false;
const onProgress = ({ done }) => {
  if (told || done < 0.3) return;
  told = true;
  say('under way');
};
const options = { output, overwrite: overwrite === 'overwrite', onProgress };
say('result', await outcome(rosi.applyUpdate(source, await slowPlan(source), options)));
