{
  # For node-gyp users; npm install runs scripts/install.mjs, which needs no Python.
  "targets": [
    {
      "target_name": "rosi",
      "type": "none",
      "actions": [
        {
          "action_name": "build with CMake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/rosi.node"],
          "action": ["node", "scripts/build-addon.mjs"]
        }
      ]
    }
  ]
}
