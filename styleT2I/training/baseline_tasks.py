"""The task of every baseline by the system's name."""

from styleT2I.training.dfgan import DFGANTask
from styleT2I.training.gan_int_cls import GanIntClsTask
from styleT2I.training.stackgan import StackGANTask

TASKS = {task.name: task for task in (GanIntClsTask, StackGANTask, DFGANTask)}
