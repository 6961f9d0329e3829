"""What ``vial new`` and ``vial generate`` write, and how.

``templates/`` has a folder for each part of a project; what is ``.tmpl`` there is a Jinja template
with ``<< >>`` and ``<% %>``, so that the project's own templates can be written as they are.
"""
