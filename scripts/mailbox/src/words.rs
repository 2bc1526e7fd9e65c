//! What the box says, in three languages.

use strowger_script::Say;

fn say(en: &str, bg: &str, ru: &str) -> Say {
    Say::words([("en", en), ("bg", bg), ("ru", ru)])
}

pub fn which_box() -> Say {
    say(
        "Please enter your extension, and then the pound key.",
        "Моля, въведете вътрешния си номер и натиснете диез.",
        "Введите ваш внутренний номер и нажмите решётку.",
    )
}

pub fn which_pin() -> Say {
    say(
        "Please enter your PIN, and then the pound key.",
        "Моля, въведете своя ПИН и натиснете диез.",
        "Введите ваш ПИН и нажмите решётку.",
    )
}

pub fn wrong() -> Say {
    say("That is not right.", "Това не е вярно.", "Неверно.")
}

pub fn you_have() -> Say {
    say("You have", "Имате", "У вас")
}

pub fn new() -> Say {
    say("new:", "нови:", "новых:")
}

pub fn from() -> Say {
    say("A message from", "Съобщение от", "Сообщение от")
}

pub fn unknown() -> Say {
    say("an unknown number", "непознат номер", "неизвестного номера")
}

pub fn choices() -> Say {
    say(
        "To hear it again, press 1. To keep it, 2. To delete it, 3. To record your greeting, 8. For the next one, pound.",
        "За да го чуете отново, натиснете едно. За да го запазите, две. За да го изтриете, три. За да запишете поздрава си, осем. За следващото, диез.",
        "Чтобы прослушать снова, нажмите один. Сохранить, два. Удалить, три. Записать приветствие, восемь. Следующее, решётка.",
    )
}

pub fn choices_at_home() -> Say {
    say(
        "To hear it again, press 1. To keep it, 2. To delete it, 3. To call back, 4. To record your greeting, 8. For the next one, pound.",
        "За да го чуете отново, натиснете едно. За да го запазите, две. За да го изтриете, три. За да се обадите, четири. За да запишете поздрава си, осем. За следващото, диез.",
        "Чтобы прослушать снова, нажмите один. Сохранить, два. Удалить, три. Перезвонить, четыре. Записать приветствие, восемь. Следующее, решётка.",
    )
}

pub fn kept() -> Say {
    say("Kept.", "Запазено.", "Сохранено.")
}

pub fn deleted() -> Say {
    say("Deleted.", "Изтрито.", "Удалено.")
}

pub fn not_reached() -> Say {
    say("Nobody answers.", "Никой не отговаря.", "Никто не отвечает.")
}

pub fn no_more() -> Say {
    say(
        "There are no more messages. To record your greeting, press 8.",
        "Няма повече съобщения. За да запишете поздрава си, натиснете осем.",
        "Сообщений больше нет. Чтобы записать приветствие, нажмите восемь.",
    )
}

pub fn speak() -> Say {
    say(
        "Speak your greeting after the tone, and press any key when you are done.",
        "Кажете поздрава си след сигнала и натиснете клавиш, когато свършите.",
        "Произнесите приветствие после сигнала и нажмите любую клавишу, когда закончите.",
    )
}

pub fn now_greets() -> Say {
    say("This is your greeting.", "Това е вашият поздрав.", "Ваше приветствие.")
}

pub fn is_it_right() -> Say {
    say(
        "To keep it, press 1. To leave everything as it was, press 2.",
        "За да го запазите, натиснете едно. За да остане всичко както беше, натиснете две.",
        "Чтобы сохранить, нажмите один. Чтобы оставить как было, нажмите два.",
    )
}

pub fn bye() -> Say {
    say("Good bye.", "Дочуване.", "До свидания.")
}
