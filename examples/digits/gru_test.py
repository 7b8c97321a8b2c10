#!/usr/bin/python3
"""The gradients of gru.py against central differences of the loss, in double precision."""

import unittest

import numpy as np

import gru


class GradientTest(unittest.TestCase):
    def test_every_parameter(self):
        generator = np.random.default_rng(1)
        hidden, count, distance = 5, 3, 1e-5
        parameters = gru.initial_parameters(hidden, generator)
        parameters = {role: value.astype(np.float64) for role, value in parameters.items()}
        images, labels = generator.uniform(0, 1, (count, 1, gru.SIDE, gru.SIDE)), np.array([3, 0, 9])
        logits, state = gru.forward(parameters, images)
        gradients = gru.backward(parameters, images, state, gru.cross_entropy(logits, labels)[1])

        def loss():
            return gru.cross_entropy(gru.forward(parameters, images)[0], labels)[0]

        for role, value in parameters.items():
            differences = np.empty_like(value)
            for index in np.ndindex(value.shape):
                before = value[index]
                value[index] = before + distance
                above = loss()
                value[index] = before - distance
                differences[index] = (above - loss()) / (2 * distance)
                value[index] = before
            self.assertGreater(np.abs(differences).max(), 1e-3, role)
            # Truncation takes about distance**2, rounding 1e-16 / distance.
            np.testing.assert_allclose(gradients[role], differences, rtol=0, atol=1e-9, err_msg=role)


if __name__ == "__main__":
    unittest.main()
