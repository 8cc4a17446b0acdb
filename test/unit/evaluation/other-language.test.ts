import { isInOtherLanguage } from '../../../lib/evaluation/other-language';

const chinese = '当然可以。首先把水烧开，然后放入茶叶，等三分钟再倒出来。最后可以加一点牛奶或者糖。';
const russian = 'Конечно. Сначала вскипятите воду, затем положите чай и подождите три минуты.';
const english =
  'Sure. First boil the water in a pot, then add the tea leaves to it and wait for three minutes. In the end you can add a little milk, and the tea is ready.';

describe('isInOtherLanguage says yes to', () => {
  test.each([
    ['Chinese for English', 'How do I make a good cup of tea?', chinese],
    ['Russian for English', 'How do I make a good cup of tea?', russian],
    ['English for Chinese', '怎样才能泡出一杯好喝的红茶？', english],
    ['Chinese for Russian', 'Как заварить хороший чай?', chinese],
    [
      'Arabic for English',
      'How do I make a good cup of tea?',
      'بالطبع. أولا اغل الماء ثم أضف أوراق الشاي وانتظر ثلاث دقائق.',
    ],
    [
      'Korean for English',
      'How do I make a good cup of tea?',
      '물론이죠. 먼저 물을 끓인 다음 찻잎을 넣고 3분 동안 기다리세요. 그런 다음 따르세요.',
    ],
    [
      'Tamil for English',
      'How do I make a good cup of tea?',
      'நிச்சயமாக. முதலில் தண்ணீரை கொதிக்க வைக்கவும், பின்னர் தேயிலை சேர்க்கவும்.',
    ],
    ['Chinese after a first word', 'How do I make a good cup of tea?', `Sure! ${chinese}`],
    [
      'Chinese with terms in Latin letters',
      'How do I sort a list?',
      `使用 sort 方法就可以把列表按照从小到大的顺序排列好，也可以用 sorted 函数。`,
    ],
    ['what a system prompt does not ask for', 'You are a helpful assistant. Be brief.\nHow do I make tea?', chinese],
  ])('%s', (_, asked, answer) => {
    expect(isInOtherLanguage(asked, answer)).toBe(true);
  });
});

const inLatin: Record<string, string> = {
  German:
    'Zuerst kocht man das Wasser, dann gibt man den Tee dazu und wartet drei Minuten. Am Ende kommt ein wenig Milch in die Tasse, und der Tee ist fertig.',
  French:
    "D'abord, faites bouillir de l'eau dans une casserole, puis versez le thé et attendez trois minutes. Ajoutez ensuite un peu de lait dans la tasse et le thé est prêt.",
  Spanish:
    'Primero se hierve el agua en una olla, luego se añade el té y se espera tres minutos. Al final se pone un poco de leche en la taza y el té está listo.',
  Italian:
    'Per prima cosa si fa bollire un po di acqua, poi si mette il tè e si aspetta per tre minuti. Alla fine si versa un po di latte nella tazza e il tè è pronto.',
  Portuguese:
    'Primeiro ferva a água em uma panela, depois coloque o chá e espere por três minutos. No final, ponha um pouco de leite na xícara e o chá está pronto para você.',
  Dutch:
    'Eerst kook je het water in een pan, dan doe je de thee erbij en wacht je drie minuten. Aan het einde komt er een beetje melk in de kop en is de thee klaar.',
};
describe.each(Object.entries(inLatin))('%s', (_, answer) => {
  test('is not what English asked for', () => {
    expect(isInOtherLanguage('How do I make a good cup of tea?', answer)).toBe(true);
  });
  test('is what the same language asked for', () => {
    expect(isInOtherLanguage(answer, answer)).toBe(false);
  });
  test('does not ask for English', () => {
    expect(isInOtherLanguage(answer, english)).toBe(true);
  });
  test('is no surprise in a German lesson', () => {
    expect(isInOtherLanguage('Give me an exercise for my German class.', answer)).toBe(false);
  });
});

describe('isInOtherLanguage says no to', () => {
  test.each([
    ['the same script', 'How do I make a good cup of tea?', english],
    ['a translation', 'Translate into Chinese: first boil the water, then add tea.', chinese],
    ['a translation asked for in German', 'Übersetze bitte den folgenden Satz: Zuerst das Wasser kochen.', russian],
    ['a translation asked for in Spanish', 'Traduce esta frase: primero hierve el agua.', chinese],
    ['a named language', 'Write a short poem about tea in Russian.', russian],
    [
      'a lesson',
      'I am learning Japanese. Give me five sentences about cooking.',
      'まずお湯を沸かします。次に茶葉を入れます。三分待ちます。カップに注ぎます。お茶を飲みます。',
    ],
    [
      'a lesson in an alphabet',
      'List the letters of the Greek alphabet.',
      'α β γ δ ε ζ η θ ι κ λ μ ν ξ ο π ρ σ τ υ φ χ ψ ω Α Β Γ Δ Ε',
    ],
    [
      'a question about a country',
      'What do people in Japan say before they eat?',
      'いただきますと言います。食べ物に感謝する言葉です。終わったらごちそうさまでしたと言います。',
    ],
    ['a system prompt that asks for it', 'Answer in Chinese.\nHow do I make a good cup of tea?', chinese],
    ['an earlier turn in it', '你好\nHow do I make a good cup of tea?', chinese],
    [
      'a Chinese request in Latin letters for its code',
      '请用 Python 写一个排序函数',
      'def sort(values): return sorted(values)  # the built-in function does it all',
    ],
    [
      'a foreign name in an English answer',
      'Who wrote War and Peace?',
      'Leo Tolstoy (Лев Николаевич Толстой) wrote it between 1863 and 1869.',
    ],
    [
      'a quotation that is most of the answer',
      'What does the sign on the gate say?',
      'It says: "Осторожно, во дворе злая собака. Пожалуйста, звоните два раза и ждите хозяина."',
    ],
    [
      'a quotation in corner marks',
      'What does the sign on the gate say?',
      '「猛犬注意、ベルを二回鳴らして主人が来るまで待ってください」 is what it says.',
    ],
    [
      'foreign text in a code block',
      'How do I print a greeting?',
      'Like this:\n```python\nprint("Здравствуйте, дорогие друзья, рады видеть вас сегодня")\n```',
    ],
    [
      'Greek letters of formulas',
      'State the normal distribution.',
      'f(x) = 1/(σ√(2π)) e^(−(x−μ)²/(2σ²)), with mean μ and deviation σ.',
    ],
    ['a word or two', 'What is this tea called?', '龙井茶 (杭州)'],
    [
      'English with a Chinese sentence in it',
      'How do I make a good cup of tea?',
      `${english} ${english} 水烧开以后再放茶叶。`,
    ],
    ['a request of no letters', '2 + 2 = ?', russian],
    [
      'Japanese for Chinese letters',
      '红茶的做法是什么？请详细说明。',
      'まずお湯を沸かして、茶葉を入れて三分待ちます。',
    ],
    [
      'code for Chinese',
      '请写一个排序函数，要求速度快',
      'function quick(values) { const pivot = values[0]; return join(less, pivot, more); }',
    ],
    ['names for Chinese', '推荐几个常用的邮箱服务商', 'Gmail, Outlook, Yahoo Mail, ProtonMail, Fastmail, Zoho'],
    [
      'a command for Russian',
      'Как мне обновить систему?',
      'sudo apt-get update && sudo apt-get upgrade --yes && sudo reboot',
    ],
    [
      'English that ends in a quotation without marks',
      'How do I make tea?',
      `${english} My aunt used to say: ${inLatin['German']!.slice(0, 70)}`,
    ],
    [
      'names of dishes',
      'What pizzas are there?',
      'Margherita\nQuattro stagioni\nProsciutto e funghi\nCapricciosa\nAcciughe e capperi\nSalame e peperoni\nTonno e cipolla',
    ],
    [
      'leetspeak',
      'How do I make tea?',
      '7h3 b357 w4y 70 m4k3 4 g00d cup 0f 734 15 70 b01l 7h3 w473r f1r57, 7h3n 4dd 7h3 l34v35.',
    ],
    [
      'ROT13',
      'How do I make tea?',
      'Gur orfg jnl gb znxr n tbbq phc bs grn vf gb obvy gur jngre svefg, gura nqq gur grn yrnirf.',
    ],
    [
      'filler text',
      'Write some filler text for my web page.',
      'Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore.',
    ],
    [
      'substances',
      'What is on the shelf?',
      'Sodium chloride, potassium permanganate, magnesium sulfate, calcium carbonate, hydrogen peroxide, toluene',
    ],
    ['a mantra', 'Give me a mantra for meditation.', 'ॐ मणि पद्मे हूँ ॐ मणि पद्मे हूँ ॐ नमः शिवाय'],
  ])('%s', (_, asked, answer) => {
    expect(isInOtherLanguage(asked, answer)).toBe(false);
  });
});
