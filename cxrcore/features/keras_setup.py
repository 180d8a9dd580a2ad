"""Import Keras quietly. Every module that computes takes Keras and TensorFlow from here, when it computes."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

__all__ = ["keras", "tf"]
