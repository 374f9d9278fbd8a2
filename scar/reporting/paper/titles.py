"""How the paper calls data and encoders under names of its own tables."""

PUBLISHED_TITLES = {
    "agnews": "AG-News", "coco": "COCO", "dino": "DINO", "imagenet1k": "ImageNet-1K", "msrvtt": "MSR-VTT",
    "resnet": "ResNet", "videoclip": "VideoCLIP", "vit": "ViT",
}  # fmt: skip
