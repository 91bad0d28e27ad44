// SPDX-License-Identifier: Apache-2.0
export default `
dir ltr
skip Zum Blatt
language Sprache
help Tasten und Hilfe
theme Farben: {0}
theme0 wie das System
theme1 hell
theme2 dunkel
model {0} · {1} Klassen · {2} Pixel · {3}
drawing Zeichnung
tools Zeichenwerkzeuge
pen Stift
eraser Radierer
line Linie
rect Rechteck
ellipse Ellipse
select Auswählen, schieben, skalieren, drehen
guide Leitpinsel: wo die Linie zählt
width Breite
smooth Linien glätten
undo Zurück
redo Wieder
undone Zurückgenommen
redone Wiederhergestellt
clear Blatt leeren
mirror Spiegeln: {0}
mirror0 aus
mirror1 links und rechts
mirror2 vierfach
pressure Stiftdruck bestimmt die Breite
fingers Auch Finger zeichnen
examples Beispielzeichnungen
open Bild öffnen, hierher ziehen oder einfügen
fill Blatt füllen
export Zeichnung sichern
pad Zeichenblatt
padHelp Pfeiltasten bewegen den Stift, mit Umschalt in kleinen Schritten; die Leertaste setzt ihn auf und hebt ihn.
drawHere Hier zeichnen
penDown Stift aufgesetzt
penUp Stift gehoben
brushDown Pinsel aufgesetzt
brushUp Pinsel gehoben
unzoom Wieder das ganze Blatt
selected Ausgewählt: Pfeile schieben, + und − skalieren, Komma und Punkt drehen, Entf entfernt
tracing Durchpausen
opacity Deckkraft des Bildes zum Durchpausen
remove Entfernen
keep Linie halten
free Frei lassen
unmark Markierung weg
clearMarks Alle Markierungen weg
what Was ist es?
classes Klassen
likely Das könnte es sein
draw Zeichnen
live Live
liveTip Nach jeder Pause ein schnelles Bild
picture Bild
download Sichern
repaint Übermalen
explore Erkunden
score Bewerten
copy Bild kopieren
share Bild teilen
appears Hier erscheint das Bild
progress Fortschritt
cancel Abbrechen
cancelled Abgebrochen
paint Teil ausmalen
wipe Wischen
as als
layers Schichten
layer Schicht {0}
exploreHelp Zeige auf eine Stelle: Was sie ansieht, leuchtet in beiden Bildern auf.
place Zeile {0}, Spalte {1}
editStage Das Bild: Pfeiltasten bewegen den Pinsel, die Leertaste setzt ihn auf und hebt ihn
exploreStage Das Bild: Pfeiltasten bewegen die Stelle
over Zeichnung darüber
candidates Kandidaten
candidate Kandidat {0}
best {0}, der beste nach Bewertung
zip Alle als Zip
settings Einstellungen
follow Der Zeichnung folgen
followHelp Wie genau sich das Bild an deine Linien hält.
lambda0 frei
lambda1 treu
many Bilder
manyHelp Wie viele auf einmal, und wie sehr sie sich unterscheiden.
variety Vielfalt
variety0 ähnlich
variety1 verschieden
care Sorgfalt
careHelp Mehr Sorgfalt braucht mehr Zeit.
device Wo Bilder entstehen
again Noch einmal
againHelp Dieselbe Zahl ergibt dasselbe Bild.
seed Startzahl
dice Neue Startzahl
lock Diese Startzahl behalten
expert Expertenansicht
reset Wie das Rezept es sagt
only (nur {0})
earlier Früher
back Voriges Bild
forward Nächstes Bild
restore Zurück dorthin
removed Entfernt.
restored Die Zeichnung und ihre Einstellungen sind wieder da.
restoredAll Zeichnung und Einstellungen sind wieder wie zuvor.
restoredInk Die Zeichnung ist wieder da. {0}
droppedTitle Wofür ist dieses Bild?
trace Durchpausen
traceHelp Es liegt blass unter dem Papier
mine Das ist meine Zeichnung
mineHelp Seine Linien werden die Zeichnung
photo Einen Teil übermalen
photoHelp Ein Foto, das geändert wird
nothing Nichts
preparedTitle So wird sie verwendet
paper Das Papier
auto Automatisch
clean Papier säubern
asIs Wie es ist
use Verwenden
useHelp Deine Striche bleiben, sie liegt darüber
instead Statt meiner Striche verwenden
insteadHelp „Zurück“ holt sie wieder
dropHere Bild hier ablegen
keyWidth dünner, breiter
keyEscape abbrechen; ein Werkzeug verlassen
keyPad auf dem Blatt: Stift bewegen; aufsetzen, heben
keyZoom näher, weiter, zurück (zwei Finger auch)
guideHelp Blaue Stellen halten die Linie, schraffierte lassen das Modell frei.
close Schließen
wantsKey Dieser Server verlangt einen Schlüssel
key Schlüssel
drawFirst Zeichne zuerst etwas.
drawFirstClass Zeichne zuerst etwas: Ohne Zeichnung ist dies ein Bild der Klasse allein.
noClass Sag zuerst, was es ist.
unknown Das Modell kennt „{0}“ nicht; wähle eine seiner Klassen.
unknownShort Das Modell kennt „{0}“ nicht
sending Wird gesendet
busy Der Server ist beschäftigt; neuer Versuch in {0} s
before {0} davor
next Als Nächstes
left noch {0} s
of {0} von {1}
ready {0} ist fertig
pictureOf Bild: {0}
photoGiven Das gegebene Foto
photoFacts Ein Foto von außen. Male den Teil aus, der sich ändern soll.
seedFact Startzahl {0}
seedItem Startzahl {0} (Bild {1})
steps {0} Schritte
making entsteht gerade
fit1 folgt der Zeichnung kaum
fit2 folgt der Zeichnung lose
fit3 folgt der Zeichnung leidlich
fit4 folgt der Zeichnung genau
fit5 folgt der Zeichnung sehr genau
copied Kopiert.
noCopy Dieser Browser lässt Seiten hier keine Bilder kopieren; Sichern geht.
forgotten Der Server hat diese Bilder vergessen; zeichne noch einmal, um sie zu bewerten.
tooLargeText Die Zeichnung ist zu groß für die Datei; das Bild und seine Einstellungen sind darin.
tooLarge Das Bild hat mehr als 64 MB; nimm ein kleineres.
noPicture Dieses Bild kann der Browser nicht lesen; PNG, JPEG und WebP gehen.
damaged Die Zeichnung in dieser PNG-Datei ist beschädigt.
noServer Der Server antwortet nicht. Läuft er noch?
stopping Der Server hört auf
broke Die Verbindung zum Server ist abgerissen
failed Der Auftrag ist gescheitert
answered Der Server antwortete {0}
r-balanced Ausgewogen
r-fast Schnell
r-thorough Gründlich
r-attention Nur durch Aufmerksamkeit (langsam, freier)
r-varied Vielfältig
r-official Wie veröffentlicht
aeroplane Flugzeug
apple Apfel
bicycle Fahrrad
bird Vogel
bottle Flasche
butterfly Schmetterling
cactus Kaktus
car Auto
cat Katze
chair Stuhl
dog Hund
fish Fisch
flower Blume
guitar Gitarre
hat Hut
house Haus
lamp Lampe
mug Becher
mushroom Pilz
sailboat Segelboot
shoe Schuh
sun Sonne
teapot Teekanne
tree Baum
`;
