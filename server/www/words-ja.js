// SPDX-License-Identifier: Apache-2.0
export default `
dir ltr
skip 用紙へ
language 言語
help キー操作とヘルプ
theme 配色：{0}
theme0 システムに合わせる
theme1 明るい
theme2 暗い
model {0} · {1} クラス · {2} ピクセル · {3}
drawing 絵
tools 描画ツール
pen ペン
eraser 消しゴム
line 直線
rect 長方形
ellipse 楕円
select 選択、移動、拡大縮小、回転
guide ガイドブラシ：線を守る場所
width 太さ
smooth 線をなめらかに
undo 元に戻す
redo やり直す
undone 元に戻しました
redone やり直しました
clear 用紙を消す
mirror 鏡：{0}
mirror0 なし
mirror1 左右
mirror2 上下左右
pressure 筆圧で太さを変える
fingers 指でも描く
examples 見本の絵
open 画像を開く（ドロップ、貼り付けも）
fill 用紙いっぱいに
export 絵を保存
pad 描画用紙
padHelp 矢印でペン移動（Shift で細かく）、スペースで下ろす・上げる。
drawHere ここに描く
penDown ペンを下ろしました
penUp ペンを上げました
brushDown ブラシを下ろしました
brushUp ブラシを上げました
unzoom 用紙全体に戻す
selected 選択中：矢印で移動、+ − で拡大縮小、, . で回転、Delete で削除
tracing 下絵
opacity 下絵の濃さ
remove 取り除く
keep 線を守る
free 自由にする
unmark 印を消す
clearMarks 印をすべて消す
what これは何？
classes クラス
likely これかもしれません
draw 作る
live ライブ
liveTip 手を止めるたびに速い画像
picture 画像
download ダウンロード
repaint 塗り直す
explore 調べる
score 採点
copy 画像をコピー
share 画像を共有
appears 画像はここに現れます
progress 進み具合
cancel 中止
cancelled 中止しました
paint 部分を塗る
wipe ぬぐう
as 種類
layers 層
layer 層 {0}
exploreHelp 絵の場所を指すと、そこが見る所が両方で光ります。
place {0} 行 {1} 列
editStage 画像：矢印でブラシ移動、スペースで下ろす・上げる
exploreStage 画像：矢印で場所を移動
over 絵を重ねる
candidates 候補
candidate 候補 {0}
best {0}（最高点）
zip すべて zip で
settings 設定
follow 絵に従う
followHelp 画像が線をどれだけ守るか。
lambda0 自由
lambda1 忠実
many 枚数
manyHelp 一度に何枚、どれだけ違わせるか。
variety 変化
variety0 似せる
variety1 変える
care ていねいさ
careHelp ていねいなほど時間がかかります。
device 画像を作る装置
again もう一度
againHelp 同じ数なら同じ画像です。
seed シード
dice 新しいシード
lock シードを保つ
expert 上級者表示
reset レシピどおり
only （{0} のみ）
earlier これまで
back 前の画像
forward 次の画像
restore ここへ戻る
removed 取り除きました。
restored 絵と設定が戻りました。
restoredAll 絵と設定が元に戻りました。
restoredInk 絵が戻りました。{0}
droppedTitle 何に使う画像？
trace なぞる
traceHelp 用紙の下に薄く置きます
mine 自分の絵
mineHelp その線が絵になります
photo 一部を塗り直す
photoHelp 変えたい写真
nothing 何もしない
preparedTitle このように使われます
paper 紙
auto 自動
clean 紙をきれいに
asIs そのまま
use 使う
useHelp 今の線の上に重なります
instead 今の線の代わりに使う
insteadHelp 「元に戻す」で線が戻ります
dropHere 画像をドロップ
keyWidth 細く、太く
keyEscape 中止、ツールを離れる
keyPad 用紙で：ペンを動かす、下ろす・上げる
keyZoom 拡大、縮小、全体（二本指でも）
guideHelp 青は線を守り、斜線はモデルに任せます。
close 閉じる
wantsKey このサーバーには鍵が要ります
key 鍵
drawFirst 先に描いてください。
drawFirstClass 先に描いてください。絵がないとクラスだけの画像です。
noClass 先に何かを選んでください。
unknown 「{0}」は知りません。クラスから選んでください。
unknownShort 「{0}」は知りません
sending 送信中
busy 混んでいます。{0} 秒後にもう一度
before 前に {0} 件
next 次です
left 残り {0} 秒
of {1} 枚中 {0} 枚目
ready {0} ができました
pictureOf 画像：{0}
photoGiven 渡された写真
photoFacts 外からの写真。変える部分を塗ってください。
seedFact シード {0}
seedItem シード {0}（{1} 枚目）
steps {0} ステップ
making 制作中
fit1 絵にほぼ従わない
fit2 絵にゆるく従う
fit3 絵にまずまず従う
fit4 絵によく従う
fit5 絵にとてもよく従う
copied コピーしました。
noCopy ここではコピーできません。
forgotten サーバーが忘れた画像です。作り直せば採点できます。
tooLargeText 絵は大きすぎて入りません。画像と設定は入っています。
tooLarge 64 MB を超えています。小さい画像にしてください。
noPicture 読めない画像です。PNG、JPEG、WebP が使えます。
damaged この PNG の中の絵は壊れています。
noServer サーバーが応答しません。
stopping サーバーが終了します
broke 接続が切れました
failed 失敗しました
answered サーバーの返事：{0}
r-balanced 標準
r-fast 速い
r-thorough じっくり
r-attention 注意だけで（遅い、自由）
r-varied 変化に富む
r-official 論文どおり
aeroplane 飛行機
apple りんご
bicycle 自転車
bird 鳥
bottle びん
butterfly ちょう
cactus サボテン
car 車
cat ねこ
chair 椅子
dog いぬ
fish 魚
flower 花
guitar ギター
hat 帽子
house 家
lamp ランプ
mug マグカップ
mushroom きのこ
sailboat ヨット
shoe くつ
sun 太陽
teapot ティーポット
tree 木
`;
