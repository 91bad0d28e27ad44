// SPDX-License-Identifier: Apache-2.0
export default `
dir ltr
skip Al papel
language Idioma
help Teclas y ayuda
theme Colores: {0}
theme0 como el sistema
theme1 claros
theme2 oscuros
model {0} · {1} clases · {2} píxeles · {3}
drawing Dibujo
tools Herramientas de dibujo
pen Lápiz
eraser Goma
line Línea
rect Rectángulo
ellipse Elipse
select Seleccionar, mover, escalar, girar
guide Pincel guía: dónde cuenta la línea
width Grosor
smooth Suavizar líneas
undo Deshacer
redo Rehacer
undone Deshecho
redone Rehecho
clear Vaciar el papel
mirror Espejo: {0}
mirror0 no
mirror1 izquierda y derecha
mirror2 cuatro lados
pressure La presión del lápiz da el grosor
fingers Los dedos también dibujan
examples Dibujos de ejemplo
open Abrir una imagen, o soltarla o pegarla
fill Llenar el papel
export Guardar el dibujo
pad Papel de dibujo
padHelp Las flechas mueven el lápiz, con Mayús en pasos cortos; Espacio lo baja y lo levanta.
drawHere Dibuja aquí
penDown Lápiz abajo
penUp Lápiz arriba
brushDown Pincel abajo
brushUp Pincel arriba
unzoom Volver al papel entero
selected Seleccionado: flechas mueven, + y − escalan, coma y punto giran, Supr borra
tracing Calco
opacity Opacidad de la imagen que se calca
remove Quitar
keep Mantener la línea
free Dejar libre
unmark Desmarcar
clearMarks Quitar todas las marcas
what ¿Qué es?
classes Clases
likely Puede que sea esto
draw Dibujar
live En vivo
liveTip Una imagen rápida tras cada pausa
picture Imagen
download Descargar
repaint Repintar
explore Explorar
score Puntuar
copy Copiar la imagen
share Compartir la imagen
appears La imagen aparece aquí
progress Progreso
cancel Cancelar
cancelled Cancelado
paint Pintar la parte
wipe Borrar
as como
layers Capas
layer Capa {0}
exploreHelp Señala un lugar en una de las imágenes: lo que mira se ilumina en ambas.
place Fila {0}, columna {1}
editStage La imagen: las flechas mueven el pincel, Espacio lo baja y lo levanta
exploreStage La imagen: las flechas mueven el lugar
over Dibujo encima
candidates Candidatas
candidate Candidata {0}
best {0}, la mejor puntuada
zip Todo en zip
settings Ajustes
follow Seguir el dibujo
followHelp Cuánto se atiene la imagen a tus líneas.
lambda0 libre
lambda1 fiel
many Imágenes
manyHelp Cuántas a la vez y cuánto se diferencian.
variety Variedad
variety0 parecidas
variety1 distintas
care Esmero
careHelp Más esmero lleva más tiempo.
device Dónde se hacen las imágenes
again Otra vez
againHelp El mismo número hace la misma imagen.
seed Semilla
dice Nueva semilla
lock Conservar esta semilla
expert Vista experta
reset Como dice la receta
only (solo {0})
earlier Antes
back Imagen anterior
forward Imagen siguiente
restore Volver a esta
removed Quitada.
restored El dibujo y sus ajustes han vuelto.
restoredAll Dibujo y ajustes están como estaban.
restoredInk El dibujo ha vuelto. {0}
droppedTitle ¿Para qué es esta imagen?
trace Calcarla
traceHelp Queda tenue bajo el papel
mine Es mi dibujo
mineHelp Sus líneas pasan a ser el dibujo
photo Repintar una parte
photoHelp Una foto para cambiar
nothing Nada
preparedTitle Así se usará
paper El papel
auto Automático
clean Limpiar el papel
asIs Tal cual
use Usarlo
useHelp Tus trazos se quedan, va encima
instead Usarlo en vez de mis trazos
insteadHelp Deshacer los devuelve
dropHere Suelta la imagen
keyWidth más fino, más grueso
keyEscape cancelar; dejar una herramienta
keyPad en el papel: mover el lápiz; bajarlo, levantarlo
keyZoom acercar, alejar, entero (también con dos dedos)
guideHelp Lo azul mantiene la línea, lo rayado deja libre al modelo.
close Cerrar
wantsKey Este servidor pide una clave
key Clave
drawFirst Dibuja algo primero.
drawFirstClass Dibuja algo primero: sin dibujo, esta es una imagen de la clase sola.
noClass Di primero qué es.
unknown El modelo no conoce «{0}»; elige una de sus clases.
unknownShort El modelo no conoce «{0}»
sending Enviando
busy El servidor está ocupado; de nuevo en {0} s
before {0} antes que esta
next La siguiente
left quedan {0} s
of {0} de {1}
ready {0}: lista
pictureOf Imagen: {0}
photoGiven La foto dada
photoFacts Una foto de fuera. Pinta la parte que cambiará.
seedFact semilla {0}
seedItem semilla {0} (imagen {1})
steps {0} pasos
making haciéndose
fit1 apenas sigue el dibujo
fit2 sigue el dibujo de lejos
fit3 sigue bastante el dibujo
fit4 sigue el dibujo de cerca
fit5 sigue el dibujo muy de cerca
copied Copiada.
noCopy Este navegador no deja copiar imágenes aquí; Descargar sí.
forgotten El servidor ha olvidado estas imágenes; dibuja de nuevo para puntuarlas.
tooLargeText El dibujo es demasiado grande para el archivo; la imagen y sus ajustes están en él.
tooLarge La imagen pasa de 64 MB; usa una más pequeña.
noPicture El navegador no puede leer esta imagen; PNG, JPEG y WebP sí.
damaged El dibujo de este PNG está dañado.
noServer El servidor no responde. ¿Sigue en marcha?
stopping El servidor se está cerrando
broke Se cortó la conexión con el servidor
failed El trabajo falló
answered El servidor respondió {0}
r-balanced Equilibrado
r-fast Rápido
r-thorough Minucioso
r-attention Solo por atención (lento, más libre)
r-varied Variado
r-official Como se publicó
aeroplane avión
apple manzana
bicycle bicicleta
bird pájaro
bottle botella
butterfly mariposa
cactus cactus
car coche
cat gato
chair silla
dog perro
fish pez
flower flor
guitar guitarra
hat sombrero
house casa
lamp lámpara
mug taza
mushroom seta
sailboat velero
shoe zapato
sun sol
teapot tetera
tree árbol
`;
