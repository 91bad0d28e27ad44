// SPDX-License-Identifier: Apache-2.0
// A key and its words a line; {0}, {1} stand for what is put in. Every language has the same keys.
export default `
dir ltr
skip To the pad
language Language
help Keys and help
theme Colours: {0}
theme0 as the system
theme1 light
theme2 dark
model {0} · {1} classes · {2} pixels · {3}
drawing Drawing
tools Drawing tools
pen Pen
eraser Eraser
line Line
rect Rectangle
ellipse Ellipse
select Select, move, scale, turn
guide Guide brush: where the line counts
width Width
smooth Smooth lines
undo Undo
redo Redo
undone Undone
redone Redone
clear Clear the pad
mirror Mirror: {0}
mirror0 off
mirror1 left and right
mirror2 four ways
pressure Pen pressure sets the width
fingers Fingers draw too
examples Example drawings
open Open a picture, or drop or paste one
fill Fill the paper
export Save the drawing
pad Drawing pad
padHelp Arrow keys move the pen, with Shift in small steps; Space lowers and lifts it.
drawHere Draw here
penDown Pen down
penUp Pen up
brushDown Brush down
brushUp Brush up
unzoom Back to the whole paper
selected Selected: arrows move, + and − scale, comma and full stop turn, Delete removes
tracing Tracing
opacity Opacity of the picture to trace
remove Remove
keep Keep the line
free Leave it free
unmark Unmark
clearMarks Remove all marks
what What is it?
classes Classes
likely It may be this
draw Draw
live Live
liveTip A quick picture after each pause
picture Picture
download Download
repaint Repaint
explore Explore
score Score
copy Copy the picture
share Share the picture
appears The picture appears here
progress Progress
cancel Cancel
cancelled Cancelled
paint Paint the part
wipe Wipe
as as
layers Layers
layer Layer {0}
exploreHelp Point at a place in either picture: what it looks at lights up in both.
place Row {0}, column {1}
editStage The picture: arrow keys move the brush, Space lowers and lifts it
exploreStage The picture: arrow keys move the place
over Drawing over it
candidates Candidates
candidate Candidate {0}
best {0}, best by score
zip All as zip
settings Settings
follow Follow the drawing
followHelp How closely the picture keeps to your lines.
lambda0 free
lambda1 faithful
many Pictures
manyHelp How many at once, and how much they differ.
variety Variety
variety0 alike
variety1 different
care Care
careHelp More care takes more time.
device Where pictures are made
again Once more
againHelp The same number makes the same picture again.
seed Seed
dice New seed
lock Keep this seed
expert Expert view
reset As the recipe says
only (only {0})
earlier Earlier
back Previous picture
forward Next picture
restore Back to this
removed Removed.
restored The drawing and its settings are back.
restoredAll Drawing and settings are back as they were.
restoredInk The drawing is back. {0}
droppedTitle What is this picture for?
trace Trace over it
traceHelp It lies faintly under the paper
mine It is my drawing
mineHelp Its lines become the drawing
photo Repaint a part of it
photoHelp A photo to be changed
nothing Nothing
preparedTitle This is how it will be used
paper The paper
auto Automatic
clean Clean the paper
asIs As it is
use Use it
useHelp Your strokes stay, it lies over them
instead Use it instead of my strokes
insteadHelp Undo brings them back
dropHere Drop the picture
keyWidth thinner, wider
keyEscape cancel; leave a tool
keyPad on the pad: move the pen; pen down, pen up
keyZoom zoom in, out, back (two fingers do, too)
guideHelp Blue places keep the line, hatched places leave the model free.
close Close
wantsKey This server wants a key
key Key
drawFirst Draw something first.
drawFirstClass Draw something first: with nothing drawn this is a picture of the class alone.
noClass Say what it is first.
unknown The model knows no “{0}”; choose one of its classes.
unknownShort The model knows no “{0}”
sending Sending
busy The server is busy; again in {0} s
before {0} before this one
next Next
left {0} s left
of {0} of {1}
ready {0} is ready
pictureOf Picture: {0}
photoGiven The photo that was given
photoFacts A photo from outside. Paint the part to change.
seedFact seed {0}
seedItem seed {0} (picture {1})
steps {0} steps
making in the making
fit1 hardly follows the drawing
fit2 follows the drawing loosely
fit3 follows the drawing fairly
fit4 follows the drawing closely
fit5 follows the drawing very closely
copied Copied.
noCopy This browser does not let pages copy pictures here; Download does.
forgotten The server has forgotten these pictures; draw again to score them.
tooLargeText The drawing is too large to go into the file; the picture and its settings are in it.
tooLarge The picture has more than 64 MB; give a smaller one.
noPicture This is no picture that the browser can read; PNG, JPEG and WebP are.
damaged The drawing in this PNG is damaged.
noServer The server does not answer. Is it still running?
stopping The server is stopping
broke The connection to the server broke
failed The job failed
answered The server answered {0}
r-balanced Balanced
r-fast Fast
r-thorough Thorough
r-attention By attention alone (slow, freer)
r-varied Varied
r-official As published
aeroplane aeroplane
apple apple
bicycle bicycle
bird bird
bottle bottle
butterfly butterfly
cactus cactus
car car
cat cat
chair chair
dog dog
fish fish
flower flower
guitar guitar
hat hat
house house
lamp lamp
mug mug
mushroom mushroom
sailboat sailboat
shoe shoe
sun sun
teapot teapot
tree tree
`;
