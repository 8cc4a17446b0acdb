// For Jest, which can't import() ES modules from CommonJS: makes both ends of such an import CommonJS.
const ts = require('typescript');

module.exports = {
  process(text, fileName) {
    const { CommonJS } = ts.ModuleKind;
    const compilerOptions = { module: CommonJS, target: ts.ScriptTarget.ES2022, inlineSourceMap: true };
    return { code: ts.transpileModule(text, { fileName, compilerOptions }).outputText };
  },
};
