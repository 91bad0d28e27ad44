// SPDX-License-Identifier: Apache-2.0
export default `
dir ltr
skip 到画纸
language 语言
help 按键与帮助
theme 颜色：{0}
theme0 跟随系统
theme1 浅色
theme2 深色
model {0} · {1} 个类别 · {2} 像素 · {3}
drawing 画稿
tools 绘画工具
pen 画笔
eraser 橡皮
line 直线
rect 矩形
ellipse 椭圆
select 选择、移动、缩放、旋转
guide 引导笔：线条在哪里算数
width 粗细
smooth 线条平滑
undo 撤销
redo 重做
undone 已撤销
redone 已重做
clear 清空画纸
mirror 镜像：{0}
mirror0 关
mirror1 左右
mirror2 四方
pressure 笔压决定粗细
fingers 手指也能画
examples 示例画稿
open 打开图片（也可拖放或粘贴）
fill 填满画纸
export 保存画稿
pad 画纸
padHelp 方向键移动画笔，加 Shift 走小步；空格落笔、提笔。
drawHere 在这里画
penDown 已落笔
penUp 已提笔
brushDown 刷子已落下
brushUp 刷子已提起
unzoom 回到整张画纸
selected 已选中：方向键移动，+ 和 − 缩放，逗号和句号旋转，Delete 删除
tracing 描摹图
opacity 描摹图的不透明度
remove 移除
keep 保住线条
free 放开
unmark 取消标记
clearMarks 清除所有标记
what 这是什么？
classes 类别
likely 可能是这个
draw 生成
live 实时
liveTip 每次停笔后出一张快图
picture 图片
download 下载
repaint 重画
explore 探索
score 评分
copy 复制图片
share 分享图片
appears 图片会出现在这里
progress 进度
cancel 取消
cancelled 已取消
paint 涂出部分
wipe 擦掉
as 画成
layers 层
layer 第 {0} 层
exploreHelp 指向任一图中的一处：它所看的地方会在两图中亮起。
place 第 {0} 行，第 {1} 列
editStage 图片：方向键移动刷子，空格落下、提起
exploreStage 图片：方向键移动位置
over 叠上画稿
candidates 候选
candidate 候选 {0}
best {0}，评分最高
zip 全部打包
settings 设置
follow 遵循画稿
followHelp 图片多大程度照着你的线条。
lambda0 自由
lambda1 忠实
many 张数
manyHelp 一次几张，彼此差多少。
variety 变化
variety0 相近
variety1 不同
care 细致程度
careHelp 越细致越费时间。
device 制图设备
again 再来一次
againHelp 同一个数得到同一张图。
seed 种子
dice 新种子
lock 保留此种子
expert 专家视图
reset 按配方
only （仅 {0}）
earlier 之前
back 上一张
forward 下一张
restore 回到这张
removed 已移除。
restored 画稿和设置已恢复。
restoredAll 画稿和设置已恢复原样。
restoredInk 画稿已恢复。{0}
droppedTitle 这张图片做什么用？
trace 描摹
traceHelp 淡淡地垫在画纸下
mine 这是我的画
mineHelp 它的线条成为画稿
photo 重画其中一部分
photoHelp 要修改的照片
nothing 不用
preparedTitle 将这样使用
paper 纸
auto 自动
clean 清理纸面
asIs 保持原样
use 使用
useHelp 你的笔画保留，它叠在上面
instead 替换我的笔画
insteadHelp 撤销可找回
dropHere 放下图片
keyWidth 更细、更粗
keyEscape 取消；离开工具
keyPad 在画纸上：移动画笔；落笔、提笔
keyZoom 放大、缩小、还原（双指也行）
guideHelp 蓝色处保住线条，斜线处放开给模型。
close 关闭
wantsKey 此服务器需要密钥
key 密钥
drawFirst 请先画点什么。
drawFirstClass 请先画点什么：没有画稿时只是该类别的图片。
noClass 请先说明这是什么。
unknown 模型不认识“{0}”；请选一个它的类别。
unknownShort 模型不认识“{0}”
sending 发送中
busy 服务器忙；{0} 秒后再试
before 前面还有 {0} 个
next 下一个
left 还剩 {0} 秒
of 第 {0} / {1} 张
ready {0} 已完成
pictureOf 图片：{0}
photoGiven 给出的照片
photoFacts 外来的照片。涂出要修改的部分。
seedFact 种子 {0}
seedItem 种子 {0}（第 {1} 张）
steps {0} 步
making 生成中
fit1 几乎没照画稿
fit2 大致照着画稿
fit3 基本照着画稿
fit4 紧跟画稿
fit5 非常紧跟画稿
copied 已复制。
noCopy 此浏览器不允许在这里复制图片；可以下载。
forgotten 服务器已忘记这些图片；重新生成后再评分。
tooLargeText 画稿太大，放不进文件；图片和设置都在里面。
tooLarge 图片超过 64 MB；请换小一点的。
noPicture 浏览器读不了这张图片；支持 PNG、JPEG 和 WebP。
damaged 此 PNG 中的画稿已损坏。
noServer 服务器没有回应。它还在运行吗？
stopping 服务器正在停止
broke 与服务器的连接断了
failed 任务失败
answered 服务器回应 {0}
r-balanced 均衡
r-fast 快速
r-thorough 细致
r-attention 只靠注意力（慢，更自由）
r-varied 多样
r-official 按论文
aeroplane 飞机
apple 苹果
bicycle 自行车
bird 鸟
bottle 瓶子
butterfly 蝴蝶
cactus 仙人掌
car 汽车
cat 猫
chair 椅子
dog 狗
fish 鱼
flower 花
guitar 吉他
hat 帽子
house 房子
lamp 灯
mug 杯子
mushroom 蘑菇
sailboat 帆船
shoe 鞋
sun 太阳
teapot 茶壶
tree 树
`;
