"""What honest people and programs write, for lib.benign: names, prose of several
languages, markdown, code, prose that reads like SQL, and headers of browsers."""

NAMES = (
    "Mary O'Brien", "Siobhán O'Connor", "D'Arcy Wentworth", "Jean-Luc Moreau",
    "François Lefèvre", "Jürgen Müller-Lüdenscheidt", "Søren Kierkegaard",
    "Łukasz Wiśniewski", "José María Aznar López", "Ñuño Ibáñez",
    "Björk Guðmundsdóttir", "Nguyễn Thị Hương", "山田 太郎", "王小明",
    "Иван Петров", "Γιώργος Παπαδόπουλος", "محمد علي", "דוד כהן",
    "Robert \"Bob\" Smith", "Anne & Peter Union", "Or Cohen", "Rosa Select",
    "Conan O'Neill Jr.", "Drop, Timothy", "Null, Christopher", "Ng, Andrew",
    "Patrick d'Arbanville", "Nkem M'Bala", "T'Challa Udaku", "Ada Lovelace")

STREETS = (
    "12 Rue de l'Église", "Hauptstraße 5 #3", "221B Baker Street; 2nd floor",
    "P.O. Box 17, St. John's", "Plaza España 1, 3º B", "ul. Świętokrzyska 20",
    "1600 Amphitheatre Pkwy", "Calle 8 # 14-23 (esquina)", "東京都千代田区1-1",
    "17/3 Sukhumvit Rd.", "Flat 4, 9-11 King's Road", "Lot 7 & 8, Mill Lane")

PROSE = {
    "en": (
        "The committee will meet on Thursday at half past three in the larger room.",
        "Everybody who wants to add a point should write it down before then.",
        "Prices go from 12.50 to 40, with 5% less for members & friends.",
        "I can't believe it's not working; I've tried it on my wife's phone, too!",
        "Please send the 3\" x 5\" prints (glossy) to my mother-in-law's address.",
        "More stands at https://www.example.org/news/2024/may?id=17 - or ask us.",
        "She said: \"if it isn't broken, don't fix it\" -- and that was that.",
        "Is 1 = 1 always true? Only if you believe in arithmetic :-)",
        "We moved from Python 3.9 to 3.12; the build takes 40% less time now.",
        "Where do I find the order form, and who do I call when it fails?",
        "Cats and dogs, salt & pepper, R&D, AT&T, <3 for all of you.",
        "The exec summary is on the shared drive, under /home/public/reports.",
        "Q1 sales: $1,200 (+3%); Q2: $1,150 (-4%); total: $2,350."),
    "de": (
        "Die Sitzung findet am Donnerstag um halb vier im großen Saal statt.",
        "Bitte schicken Sie mir die Unterlagen (Größe: 30 × 40 cm) bis Freitag.",
        "Geht's noch? Das ist doch nicht \"normal\" - oder etwa doch?",
        "Preise ab 12,50 €; für Mitglieder 5 % weniger; Fragen an info@example.de"),
    "fr": (
        "L'assemblée aura lieu jeudi à quinze heures trente dans la grande salle.",
        "J'ai essayé aujourd'hui, mais l'ordinateur n'a pas voulu ; c'est l'hiver !",
        "Qu'est-ce que c'est ? C'est l'œuvre d'un élève de l'école d'art.",
        "« Rien ne sert de courir ; il faut partir à point », dit-il."),
    "es": (
        "¿Dónde está la biblioteca? Está al lado del café, señora.",
        "El niño comió 3/4 de la tarta; ¡qué barbaridad!",
        "Select your size? No: elija su talla, por favor (M, L ó XL)."),
    "pl": ("Zażółć gęślą jaźń; czy można zamówić dwa bilety na środę?",
           "Spotkanie jest w czwartek o 15:30 - proszę o potwierdzenie."),
    "ru": ("Съешь же ещё этих мягких французских булок, да выпей чаю.",
           "Заседание состоится в четверг в 15:30; вопросы - по почте."),
    "el": ("Η συνάντηση θα γίνει την Πέμπτη στις τρεις και μισή.",),
    "ar": ("سيعقد الاجتماع يوم الخميس في الساعة الثالثة والنصف.",),
    "he": ("הפגישה תתקיים ביום חמישי בשעה שלוש וחצי.",),
    "ja": ("会議は木曜日の午後三時半に大きな部屋で行われます。",
           "値段は1,200円からです。ご質問はメールでお願いします!"),
    "zh": ("会议将于星期四下午三点半在大会议室举行。",
           "请问这个多少钱?我想买两个,谢谢!"),
    "ko": ("회의는 목요일 오후 세 시 반에 큰 방에서 열립니다.",),
    "hi": ("बैठक गुरुवार को साढ़े तीन बजे बड़े कमरे में होगी।",),
    "tr": ("Toplantı perşembe günü saat üç buçukta büyük salonda yapılacak.",),
    "vi": ("Cuộc họp sẽ diễn ra vào thứ Năm lúc ba giờ rưỡi.",),
}

# Prose in which words of query languages stand.
QUERYLIKE = (
    "Please select a date from the list and drop us a line.",
    "Insert the key into the lock, then turn it where it says open.",
    "The union of workers and the order by the court were in the news.",
    "Select all that apply, or leave it empty; update your profile later.",
    "Students who select French or German; having passed both, may go on.",
    "Delete my account and all data from your servers, as by GDPR art. 17.",
    "You can create a table of contents and alter the order of chapters.",
    "Between 9 and 5, or not at all: like it or leave it.",
    "Group by age or by county? Count (everyone) twice.",
    "I was told to exec the plan, cast a vote, and declare the result null.",
    "Grant me the serenity; revoke nothing, truncate the rest.",
    "In case when it rains: if (and only if) it's wet, then wait for delay.",
    "Drop table reservations at the door; join us for dinner at 8.",
    "What's the value of x where x > 3 and x < 5?",
    "Top 10 books from 1999 to 2005, sorted by author's name asc.",
    "He set the record = 10 seconds; 1 or 2 others came close.")

MARKDOWN = (
    "# Notes\n\n* first *point*\n* second **point**\n\n> a quotation\n",
    "## How to\n\n1. Open `settings.json`\n2. Set `\"theme\": \"dark\"`\n",
    "See [the manual](https://example.org/man#part-2) or ![a cat](/cat.png).\n",
    "| name | price |\n|------|------:|\n| tea  | 2.50  |\n| O'Tea | 3 |\n",
    "Text with a footnote.[^1]\n\n[^1]: It's here.\n\n---\n\n- [ ] todo\n- [x] done\n",
    "~~old~~ _new_ `a && b` and <https://example.org/> & more -- much more.\n")

CODE = (
    "def area(r):\n    return 3.14159 * r ** 2  # circle\n",
    "for (let i = 0; i < items.length; i++) {\n  total += items[i].price;\n}\n",
    "#include <stdio.h>\n\nint main(void)\n{\n\tputs(\"hello\");\n\treturn 0;\n}\n",
    "SELECT name, price FROM products WHERE price > 10 ORDER BY name;\n",
    "<div class=\"card\">\n  <h2>Title</h2>\n  <p>Text &amp; more</p>\n</div>\n",
    "body { color: #333; background: url(/img/bg.png) no-repeat; }\n",
    "ls -la /var/log | grep error > out.txt && cat out.txt\n",
    "import os\nprint(os.environ.get('HOME', '/root'))\n",
    "fn main() { let v: Vec<u8> = vec![1, 2]; println!(\"{:?}\", v); }\n",
    "<?php echo htmlspecialchars($_GET['name']); ?>\n",
    "if [ -f ~/.bashrc ]; then . ~/.bashrc; fi\n",
    "public static void main(String[] args) { System.out.println(\"hi\"); }\n",
    "const f = async (x) => { await fetch(`/api/${x}`); };\n",
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec: {}\n",
    "git commit -m \"it's done\" && git push origin main\n")

WORDS = (
    "garden blue widget summer table lamp wireless keyboard shoes winter jacket "
    "coffee organic tea camera travel book children bicycle red small large "
    "kitchen knife set music union square order of select drop leather system "
    "office chair and or not between like news sport weather film script").split()

BROWSERS = (
    (("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
      "Firefox/128.0"),
     ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,"
      "image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8"),
     ("Accept-Language", "en-GB,en;q=0.5"),
     ("Accept-Encoding", "gzip, deflate, br, zstd"),
     ("Connection", "keep-alive"), ("Upgrade-Insecure-Requests", "1"),
     ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"),
     ("Sec-Fetch-Site", "none"), ("Sec-Fetch-User", "?1"),
     ("Priority", "u=0, i")),
    (("Connection", "keep-alive"),
     ("sec-ch-ua", '"Not/A)Brand";v="8", "Chromium";v="126", '
      '"Google Chrome";v="126"'),
     ("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", '"Windows"'),
     ("Upgrade-Insecure-Requests", "1"),
     ("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"),
     ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,"
      "image/avif,image/webp,image/apng,*/*;q=0.8,"
      "application/signed-exchange;v=b3;q=0.7"),
     ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate"),
     ("Sec-Fetch-User", "?1"), ("Sec-Fetch-Dest", "document"),
     ("Accept-Encoding", "gzip, deflate, br, zstd"),
     ("Accept-Language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7")),
    (("Sec-Fetch-Dest", "document"),
     ("User-Agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
      "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"),
     ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
     ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"),
     ("Accept-Language", "fr-FR,fr;q=0.9"),
     ("Accept-Encoding", "gzip, deflate, br"), ("Connection", "keep-alive")),
    (("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) "
      "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 "
      "Safari/604.1"),
     ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
     ("Accept-Language", "es-ES,es;q=0.9"),
     ("Accept-Encoding", "gzip, deflate, br"), ("Connection", "keep-alive")),
    (("User-Agent", "Mozilla/5.0 (Linux; Android 14; Pixel 8) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile "
      "Safari/537.36"),
     ("sec-ch-ua-mobile", "?1"), ("sec-ch-ua-platform", '"Android"'),
     ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,"
      "image/avif,image/webp,image/apng,*/*;q=0.8"),
     ("Accept-Language", "pl-PL,pl;q=0.9,en;q=0.8"),
     ("Accept-Encoding", "gzip, deflate, br"), ("Save-Data", "on")),
    (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 "
      "Edg/126.0.0.0"),
     ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,"
      "image/webp,*/*;q=0.8"),
     ("Accept-Language", "ja,en;q=0.9,en-GB;q=0.8"),
     ("Accept-Encoding", "gzip, deflate, br"), ("DNT", "1")))

PROGRAMS = (
    (("User-Agent", "okhttp/4.12.0"), ("Accept", "application/json"),
     ("Accept-Encoding", "gzip")),
    (("User-Agent", "MyShop/4.2.1 CFNetwork/1496.0.7 Darwin/23.5.0"),
     ("Accept", "*/*"), ("Accept-Language", "en-GB,en;q=0.9")),
    (("User-Agent", "Dart/3.4 (dart:io)"), ("Accept", "application/json"),
     ("Accept-Encoding", "gzip")),
    (("User-Agent", "Apache-HttpClient/5.3 (Java/17.0.11)"),
     ("Accept", "application/json, */*;q=0.5"),))
