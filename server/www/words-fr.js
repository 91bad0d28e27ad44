// SPDX-License-Identifier: Apache-2.0
export default `
dir ltr
skip Vers la feuille
language Langue
help Touches et aide
theme Couleurs : {0}
theme0 comme le système
theme1 claires
theme2 sombres
model {0} · {1} classes · {2} pixels · {3}
drawing Dessin
tools Outils de dessin
pen Stylo
eraser Gomme
line Ligne
rect Rectangle
ellipse Ellipse
select Sélectionner, déplacer, agrandir, tourner
guide Pinceau guide : où le trait compte
width Épaisseur
smooth Lisser les traits
undo Annuler
redo Rétablir
undone Annulé
redone Rétabli
clear Vider la feuille
mirror Miroir : {0}
mirror0 non
mirror1 gauche et droite
mirror2 quatre côtés
pressure La pression du stylet règle l’épaisseur
fingers Les doigts dessinent aussi
examples Dessins d’exemple
open Ouvrir une image, ou la déposer ou la coller
fill Remplir la feuille
export Enregistrer le dessin
pad Feuille de dessin
padHelp Les flèches déplacent le stylo, avec Maj à petits pas ; Espace le pose et le lève.
drawHere Dessinez ici
penDown Stylo posé
penUp Stylo levé
brushDown Pinceau posé
brushUp Pinceau levé
unzoom Revenir à la feuille entière
selected Sélectionné : flèches pour déplacer, + et − pour la taille, virgule et point pour tourner, Suppr pour effacer
tracing Calque
opacity Opacité de l’image à décalquer
remove Retirer
keep Garder le trait
free Laisser libre
unmark Démarquer
clearMarks Retirer toutes les marques
what Qu’est-ce que c’est ?
classes Classes
likely C’est peut-être cela
draw Dessiner
live En direct
liveTip Une image rapide après chaque pause
picture Image
download Télécharger
repaint Repeindre
explore Explorer
score Noter
copy Copier l’image
share Partager l’image
appears L’image apparaît ici
progress Avancement
cancel Annuler
cancelled Annulé
paint Peindre la partie
wipe Effacer
as en
layers Couches
layer Couche {0}
exploreHelp Pointez un endroit dans l’une des images : ce qu’il regarde s’éclaire dans les deux.
place Ligne {0}, colonne {1}
editStage L’image : les flèches déplacent le pinceau, Espace le pose et le lève
exploreStage L’image : les flèches déplacent l’endroit
over Dessin par-dessus
candidates Candidats
candidate Candidat {0}
best {0}, le mieux noté
zip Tout en zip
settings Réglages
follow Suivre le dessin
followHelp À quel point l’image respecte vos traits.
lambda0 libre
lambda1 fidèle
many Images
manyHelp Combien à la fois, et combien elles diffèrent.
variety Variété
variety0 proches
variety1 différentes
care Soin
careHelp Plus de soin prend plus de temps.
device Où se font les images
again Encore une fois
againHelp Le même nombre redonne la même image.
seed Graine
dice Nouvelle graine
lock Garder cette graine
expert Vue expert
reset Comme dit la recette
only (seulement {0})
earlier Avant
back Image précédente
forward Image suivante
restore Y revenir
removed Retiré.
restored Le dessin et ses réglages sont revenus.
restoredAll Dessin et réglages sont revenus comme avant.
restoredInk Le dessin est revenu. {0}
droppedTitle À quoi sert cette image ?
trace La décalquer
traceHelp Elle transparaît sous le papier
mine C’est mon dessin
mineHelp Ses traits deviennent le dessin
photo En repeindre une partie
photoHelp Une photo à changer
nothing Rien
preparedTitle Voici comment il servira
paper Le papier
auto Automatique
clean Nettoyer le papier
asIs Tel quel
use L’utiliser
useHelp Vos traits restent, il se pose dessus
instead L’utiliser à la place de mes traits
insteadHelp Annuler les ramène
dropHere Déposez l’image
keyWidth plus fin, plus épais
keyEscape annuler ; quitter un outil
keyPad sur la feuille : déplacer le stylo ; le poser, le lever
keyZoom zoom avant, arrière, entier (deux doigts aussi)
guideHelp Le bleu garde le trait, les hachures laissent le modèle libre.
close Fermer
wantsKey Ce serveur demande une clé
key Clé
drawFirst Dessinez d’abord quelque chose.
drawFirstClass Dessinez d’abord quelque chose : sans dessin, c’est une image de la classe seule.
noClass Dites d’abord ce que c’est.
unknown Le modèle ne connaît pas « {0} » ; choisissez une de ses classes.
unknownShort Le modèle ne connaît pas « {0} »
sending Envoi
busy Le serveur est occupé ; nouvel essai dans {0} s
before {0} avant celle-ci
next La prochaine
left encore {0} s
of {0} sur {1}
ready {0} : prête
pictureOf Image : {0}
photoGiven La photo donnée
photoFacts Une photo d’ailleurs. Peignez la partie à changer.
seedFact graine {0}
seedItem graine {0} (image {1})
steps {0} étapes
making en cours
fit1 suit à peine le dessin
fit2 suit le dessin de loin
fit3 suit assez bien le dessin
fit4 suit le dessin de près
fit5 suit le dessin de très près
copied Copiée.
noCopy Ce navigateur n’autorise pas la copie d’images ici ; Télécharger marche.
forgotten Le serveur a oublié ces images ; redessinez pour les noter.
tooLargeText Le dessin est trop grand pour le fichier ; l’image et ses réglages y sont.
tooLarge L’image dépasse 64 Mo ; prenez-en une plus petite.
noPicture Le navigateur ne peut pas lire cette image ; PNG, JPEG et WebP conviennent.
damaged Le dessin dans ce PNG est abîmé.
noServer Le serveur ne répond pas. Tourne-t-il encore ?
stopping Le serveur s’arrête
broke La connexion au serveur est rompue
failed La tâche a échoué
answered Le serveur a répondu {0}
r-balanced Équilibré
r-fast Rapide
r-thorough Minutieux
r-attention Par l’attention seule (lent, plus libre)
r-varied Varié
r-official Comme publié
aeroplane avion
apple pomme
bicycle vélo
bird oiseau
bottle bouteille
butterfly papillon
cactus cactus
car voiture
cat chat
chair chaise
dog chien
fish poisson
flower fleur
guitar guitare
hat chapeau
house maison
lamp lampe
mug tasse
mushroom champignon
sailboat voilier
shoe chaussure
sun soleil
teapot théière
tree arbre
`;
